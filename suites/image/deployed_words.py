"""What a subject's own objects and Compose files have the box run and read: commands, arguments, settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.subject.manifests import compose_file, pod_specs, shipped
from boxproof.subject.model import Subject
from suites import development
from suites.image import copied_servers, told_variables

Objects = Iterable[Mapping[str, Any]]
READ = {"ConfigMap": "data", "Secret": "stringData"}  # what pods have of it, as it was written
STARTED = ("command", "args", "env", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
PAGES = (".md", ".mdx", ".rst", ".adoc")  # what somebody reads; nothing carries them out
PLACES = re.compile(r"(PATH|HOME|DIR)$")  # of a variable that says where something is
NOT_MEANT = re.compile(
    r"^\s*(#|//).*$"  # a remark
    # a rule of what an agent may run: "npm install *", Bash(npm install:*)
    r"|[\"'][^\"'\n]*\*[\"']|\b\w*(?:[Ss]hell|[Bb]ash)\w*\([^)\n]*\)"
    r"|\b(npx|uvx)\W{1,4}--(no-install|offline|no)\b",
    re.MULTILINE,
)
COMPOSED = ("command", "entrypoint", "environment", "healthcheck", "post_start", "pre_stop")


def of(session: Session, subject: Subject) -> dict[str, str]:
    """Return the words of each of the subject's objects, services and MCP servers, by where they are."""
    found = {
        f"{where}: {name}": text
        for where, made in objects(session, subject).items()
        for name, text in by_object(made).items()
    }
    for where, each in services(subject).items():
        said = {name: value for name, value in _variables(each).items() if not PLACES.search(name)}
        told = {**each, "environment": said}
        found[where] = _text({key: told.get(key) for key in COMPOSED})
    for where, each in development.of_the_box(subject).items():
        found[where] = _text({key: each.get(key) for key in development.STARTED})
    return found | {where: _text(words) for where, words in copied_servers.of(subject).items()}


def given(session: Session, subject: Subject, variable: str) -> dict[str, str]:
    """Return the values that the subject's objects and services give a variable, by where they do."""
    found = {
        f"{where}: {name}": value
        for where, made in objects(session, subject).items()
        for name, value in settings(made, variable).items()
    }
    return {**found, **of_services(subject, variable)}


def of_services(subject: Subject, variable: str) -> dict[str, str]:
    """Return the values that the subject's Compose files give a variable, by where they do."""
    found: dict[str, str] = {}
    for where, each in services(subject).items():
        named = _variables(each)
        beside = (subject.directory / where.rpartition(": ")[0]).parent
        listed = compose_file.told_by_files(each, beside).get(variable)
        if variable in named:
            found[where] = str(named[variable])
        elif listed is not None:
            found[f"{where}, env_file"] = listed
        said = _text({key: each.get(key) for key in COMPOSED if key != "environment"})
        found |= {f"{where}, {one!r}": one for one in told_variables.in_a_shell(said, variable)}
    return found


def _variables(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a service of Compose."""
    listed = service.get("environment") or {}
    parted = (str(one).partition("=")[::2] for one in listed)
    pairs = listed.items() if isinstance(listed, Mapping) else parted
    return {str(name): each for name, each in pairs}


def settings(made: Objects, variable: str) -> dict[str, str]:
    """Return the values that containers, and what they read, give a variable, by the object's name."""
    every = list(made)
    found: dict[str, str] = {}
    for each in every:
        called = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] in READ and variable in (each.get(READ[each["kind"]]) or {}):
            found[called] = str(each[READ[each["kind"]]][variable])
        written = each.get(READ.get(each["kind"], "")) or {}
        found |= {
            f"{called}, {key}: {one}": one for key, text in written.items() for one in within(text, variable)
        }
        words = [*told_variables.in_scripts(written, variable)]
        for container in _containers(each):
            words += told_variables.by_reference(container, every, variable)
            said = _text(_started({**container, "env": None}))
            words += told_variables.in_a_shell(said, variable)
        found |= {f"{called}, {one!r}": one for one in words}
        variables = [one for container in _containers(each) for one in container.get("env") or ()]
        own = [one for one in variables if one.get("name") == variable and one.get("valueFrom") is None]
        found |= {f"{called}, env": str(one.get("value", "")) for one in own}
    return found


def within(text: str, variable: str) -> list[str]:
    """Return the values that a file of settings, in JSON, gives a variable."""
    return re.findall(rf'"{re.escape(variable)}"\s*:\s*"?([^",}}\s]*)', str(text))


def services(subject: Subject) -> dict[str, Mapping[str, Any]]:
    """Return the services of the subject's Compose files, by where they are."""
    every = shipped.compose(subject).items()
    return {
        f"{path}: {name}": each or {} for path, content in every for name, each in content["services"].items()
    }


def objects(session: Session, subject: Subject) -> dict[str, Objects]:
    """Return the subject's objects: by file as they are written, and by tier as they are rendered.

    Tiers are rendered where they are made of components, or where a chart makes all of them.
    """
    found: dict[str, Objects] = {**shipped.objects(subject)}
    below = subject.path(subject.manifests.components)
    names = sorted(each.name for each in below.iterdir()) if below else []
    for name in ("", *names) if names or subject.source == "chart" else ():
        chosen = tuple(dict.fromkeys((*COMPONENTS, *filter(None, [name]))))
        found[name or "rendered"], _ = rendered(session, components=chosen)
    return found


def by_object(made: Objects) -> dict[str, str]:
    """Return what the containers of each object start, and what its pods read of it, by its name."""
    found = {}
    for each in made:
        listed = each.get(READ.get(each["kind"], "")) or {}
        read = {key: one for key, one in listed.items() if not str(key).lower().endswith(PAGES)}
        text = _text([read, [_started(one) for one in _containers(each)]])
        if text:
            found[f"{each['kind']} {each['metadata']['name']}"] = text
    return found


def _started(container: Mapping[str, Any]) -> dict[str, Any]:
    env = [one for one in container.get("env") or () if not PLACES.search(str(one.get("name")))]
    return {key: container.get(key) for key in STARTED} | {"env": env}


def _text(item: Any) -> str:
    """Return the texts in something without what nothing carries out."""
    return NOT_MEANT.sub("", "\n".join(_words(item)))


def _containers(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = (pod_specs.pod_spec(item) if isinstance(item.get("spec"), dict) else None) or {}
    return [one for group in pod_specs.GROUPS for one in spec.get(group) or ()]


def _words(item: Any) -> Iterator[str]:
    """Give the texts in something, however deep; those of one list on one line, as a shell has them."""
    if isinstance(item, Mapping):
        for each in item.values():
            yield from _words(each)
    elif isinstance(item, list | tuple):
        if item and all(isinstance(each, str) for each in item):
            yield " ".join(item)
        else:
            for each in item:
                yield from _words(each)
    elif isinstance(item, str) and item:
        yield item
