"""Which commands of subject.toml the targets of a box's task files are, by name and by what they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from boxproof.subject import documented_commands, word_places
from boxproof.subject.detection import task_files
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.detection.task_files import Target

BOUND = r"(?:^|[-_:/.])"
ENDS = r"(?:$|[-_:/.])"
WORD = r"[ \t=]+[\"']?"
ENGINE = r"(?:\b(?:docker|podman|nerdctl|buildah)\b|\$\{\w*(?:DOCKER|ENGINE|PODMAN|CONTAINER|RUNTIME)\w*\})"
BUILDS = rf"{ENGINE}[^\n;&|]*[ \t](?:build|bud|bake)\b|\bdocker-compose\b[^\n;&|]*[ \t]build\b"
KIND = r"(?:\bkind\b|\$\{\w*KIND\w*\})"
DEPLOYS = (
    r"(?:\b(?:kubectl|oc)\b|\$\{\w*KUBECTL\w*\})[^\n;&|]*[ \t](?:apply|create[ \t]+-)"
    r"|(?:\bhelm\b|\$\{\w*HELM\w*\})[^\n;&|]*[ \t](?:install|upgrade)\b"
    r"|\b(?:skaffold[ \t]+run|helmfile[ \t][^\n;&|]*\b(?:apply|sync))\b"
)
PROVES = r"\bboxproof\b[^\n;&|]*[ \t]{}\b"
# what a variable stands for by where it does, each with the place that the harness fills in there
STANDING = (
    (rf"{KIND}[^\n;&|]*--name{WORD}\$\{{(\w+)\}}", "cluster"),
    (r"--(?:kube-)?context" + WORD + r"kind-\$\{(\w+)\}", "cluster"),
    (rf"{KIND}[ \t]+load[ \t]+docker-image[ \t]+[\"']?\$\{{(\w+)\}}[\"']?(?=\s|$)", "image"),
    (r"(?:kubectl|KUBECTL\}|oc|helm|HELM\})[^\n;&|]*(?:-n|--namespace)" + WORD + r"\$\{(\w+)\}", "namespace"),
    (r"--from-file" + WORD + r"(?:[\w.-]+=)?\$\{(\w+)\}", "file"),
    (r"--registry" + WORD + r"\$\{(\w+)\}", "registry"),
)


@dataclass(frozen=True)
class Rule:
    """A key of ``[commands]``: names of its targets, what they run, and the places that they have to take."""

    key: str
    names: str
    runs: str
    places: tuple[str, ...] = ()
    lacks: str = ""  # what one of the name does not do, where it runs something else


CLUSTERS = r"(?:kind[-_:/]cluster|cluster|kind)"
SOME = r"(?:k8s|kube|kubernetes|helm|cluster|kind)"
NO_PROOF = "does not prove the box by boxproof"
RULES = (
    Rule(
        "build",
        r"(?:docker|podman|image|container|img|box|agent)?[-_:/]?(?:build|image)"
        r"(?:[-_:/](?:docker|image|container|box|agent|all))?",
        BUILDS,
        lacks="builds no image",
    ),
    Rule(
        "load",
        r"(?:kind|image|cluster)?[-_:/]?load(?:[-_:/](?:image|kind|box|agent))?",
        rf"{KIND}[ \t]+load[ \t]+docker-image\b",
        ("image", "cluster"),
        "loads no image by kind",
    ),
    Rule(
        "deploy",
        rf"{SOME}?[-_:/]?(?:deploy|apply|install|upgrade)(?:[-_:/](?:{SOME}|agent|box|local|dev))?",
        DEPLOYS,
        lacks="applies nothing to a cluster",
    ),
    Rule(
        "up",
        rf"up|{CLUSTERS}[-_:/]?(?:up|create|start)|create[-_:/]{CLUSTERS}|{CLUSTERS}",
        rf"{KIND}[ \t]+create[ \t]+cluster\b",
        ("cluster",),
        "makes no cluster of kind",
    ),
    Rule(
        "down",
        rf"down|{CLUSTERS}[-_:/]?(?:down|delete|destroy|stop)|delete[-_:/]{CLUSTERS}|teardown",
        rf"{KIND}[ \t]+delete[ \t]+cluster\b",
        ("cluster",),
        "removes no cluster of kind",
    ),
    Rule(
        "preflight",
        r"preflight|doctor|check[-_:/](?:tools|requirements)",
        r"\bcontainerd\b",
        lacks="looks at no containerd",
    ),
    Rule(
        "prune",
        r"(?:docker|buildx|builder|cache|build-cache)?[-_:/]?prune(?:[-_:/]cache)?|clean[-_:/]cache",
        r"\b(?:buildx|builder)[ \t]+prune\b[^\n;&|]*--(?:max-used-space|keep-storage|reserved-space)",
        lacks="keeps the builder's cache within no bound",
    ),
    Rule(
        "rotate",
        r"rotate(?:[-_:/](?:token|login|secret))?",
        r"(?:\bkubectl\b|KUBECTL\})[^\n;&|]*\bsecret\b",
        ("file",),
        "puts no token into a Secret",
    ),
    Rule("test", r"test|e2e|prove|proof|verify", PROVES.format("e2e"), lacks=NO_PROOF),
    Rule("release", r"release|publish", PROVES.format("release"), ("registry",), NO_PROOF),
)
STARTS = (
    r"(?:docker|podman|container)?[-_:/]?(?:run|start|shell|dev|interactive)"
    r"(?:[-_:/](?:docker|container|box|agent|local))?"
)
# options of a run that are each user's own: how it is looked at, what it is called, its variables and ports
OWN = frozenset({"-it", "-ti", "-i", "-t", "--interactive", "--tty", "--rm", "-d", "--detach"})
OWN_VALUED = ("-e", "--env", "--env-file", "--name", "-p", "--publish", "--hostname", "-h")
MOUNTS = ("-v", "--volume", "--mount")
OF_A_USER = re.compile(r"(?:.*\b(?:source|src)=)?[\"']?(?:\$|~|\.{1,2}(?:/|:|$))")
MOST = 12  # other targets that are told


def commands(here: Directory, found: Detected) -> None:
    """Note each command that a target is, and remark those that are called so and do something else."""
    every = task_files.targets(here)
    named = [each for each in every if any(re.fullmatch(rule.names, each.name) for rule in RULES)]
    texts = {each: task_files.ran(here, each, every) for each in named}
    apart = found.get("namespace") is not None  # else each caller says where its objects go
    standing = {each: dict(_standing(each, texts[each], apart=apart)) for each in named}
    taken = [_noted(found, rule, texts, standing) for rule in RULES]
    taken.append(_run(found, every))
    files = ", ".join(map(str, dict.fromkeys(each.path for each in every)))
    keys = [each.key for each in RULES if found.get(f"commands.{each.key}") is None]
    keys += ["run"] if found.get("commands.run") is None else []
    others = [each.name for each in every if each not in taken]
    if every and keys:
        told = f"commands: no target of {files} is, by its name and by what it runs, {', '.join(keys)}"
        more = f" and {len(others) - MOST} more" if others[MOST:] else ""
        rest = f"; other targets are {', '.join(others[:MOST])}{more}" if others else ""
        found.remarks.append(told + rest)


def _noted(
    found: Detected, rule: Rule, texts: Mapping[Target, str], standing: Mapping[Target, Mapping[str, str]]
) -> Target | None:
    """Note the first target that is a rule's, and return it; of one that is only called so, remark why."""
    named = [each for each in texts if re.fullmatch(rule.names, each.name)]
    named.sort(key=lambda each: each.name != rule.key)
    values = {each: _values(rule, standing[each]) for each in named}
    amiss = {each: _amiss(rule, each, texts[each], values[each]) for each in named}
    for each in (one for one in named if not amiss[one]):
        words = each.calling(values[each])
        found.add(f"commands.{rule.key}", list(words), each.where)
        return each
    plainly = [each for each in named if re.search(f"{BOUND}{rule.key}{ENDS}", each.name)]
    if plainly:
        found.remarks.append(f"commands.{rule.key}: {plainly[0].where}: {amiss[plainly[0]]}")
    return None


def _amiss(rule: Rule, target: Target, text: str, values: Mapping[str, str]) -> str:
    """Return why a target of a rule's name is none of it, "" where it is."""
    lacking = [place for place in rule.places if f"{{{place}}}" not in values.values()]
    if not re.search(rule.runs, text) and not re.search(rule.runs, target.filled(text)):
        return f"it {rule.lacks}"
    if lacking:
        return f"no variable that its caller sets is the {' and the '.join(lacking)}"
    return "" if target.calling(values) else "it asks for arguments"


def _values(rule: Rule, standing: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a caller of a target sets, each with the place of the rule's key."""
    places = word_places.OF_COMMANDS[rule.key]
    return {name: f"{{{place}}}" for name, place in standing.items() if place in places}


def _standing(target: Target, text: str, *, apart: bool) -> Iterator[tuple[str, str]]:
    """Give the variables that a caller may set with the places that stand for them.

    Objects that are ``apart``, in a namespace of their own, are applied to no other one.
    """
    for pattern, place in STANDING:
        for name in re.findall(pattern, text):
            if name in target.settable and not (apart and place == "namespace"):
                yield name, place


def _run(found: Detected, every: Sequence[Target]) -> Target | None:
    """Note how the first target that runs the box's image does, without what is each user's own."""
    images = {tag for target in every for tag in _tags(target)}
    images |= {str(found.get(each) or "") for each in ("image.name", "image.reference")}
    for target in (each for each in every if re.fullmatch(STARTS, each.name)):
        text = target.filled(target.recipe)
        run = next(iter(documented_commands.runs_in({"": text}, *filter(None, images))), None)
        if run is None:
            continue
        kept = _kept(run.options)
        open_ones = [each for each in kept if "$" in each]
        if open_ones:
            told = f"who calls it says what {' '.join(open_ones)} is"
            found.remarks.append(f"commands.run: {target.where}: {told}")
            return None
        own = ", without what is each user's own" if len(kept) < len(run.options) else ""
        found.add("commands.run", ["docker", "run", *kept], f"{target.where}{own}")
        return target
    return None


def _tags(target: Target) -> Iterator[str]:
    """Give what the images are called that a target builds."""
    text = target.filled(target.recipe) if "build" in target.recipe else ""
    for line in text.splitlines():
        if re.search(BUILDS, line):
            yield from documented_commands.values(line.split(), "-t", "--tag")


def _kept(options: Sequence[str]) -> list[str]:
    """Return the options of a run that every user has."""
    kept: list[str] = []
    pairs = iter(options)
    for each in pairs:
        name, equals, value = each.partition("=")
        if each in OWN:
            continue
        if name in (*OWN_VALUED, *MOUNTS):
            value = value if equals else next(pairs, "")
            if name in MOUNTS and not OF_A_USER.match(value):
                kept += [each] if equals else [each, value]
        else:
            kept.append(each)
    return kept
