"""Settings that are called as secrets are, and have a value: of pods, Compose files, charts."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import yaml

from boxproof.subject.manifests import plain_yaml
from boxproof.subject.manifests.pod_specs import containers

NAMED = re.compile(
    r"(?:[A-Z0-9_]*(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|(?:CLIENT|JWT)_SECRET)"
    r"|(?:[A-Z0-9_]*_)?PAT)"
)
VALUED = re.compile(
    r"(?:[\w-]*[-_a-z])?(?:[Tt]oken|[Pp]assw(?:or)?d|[Pp]assphrase|[Aa]pi[-_]?[Kk]ey|[Cc]lientSecret)"
)
# nothing, a path, what is filled in, a digest, a switch, a number, an address without a login
HARMLESS = re.compile(
    r"[/~.]\S*|\$.*|\{\{.*|sha256:\S*|true|false|null|none|unset|\d{1,6}|https?://[^@\s]*|",
    re.IGNORECASE | re.DOTALL,
)
# whoever applies a Secret puts something else in its place
TO_BE_REPLACED = re.compile(r"<.*>|[A-Z][A-Z0-9_ -]*")
OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w-]*)(?:=(?P<value>.*))?", re.DOTALL)
SWITCH = re.compile(r"(?:no|use|with|require|enable|disable|print|rotate|allow|skip|show)-")
LOGS_IN = re.compile(r"(?:bearer|basic|token)\s+[^\s$<{]", re.IGNORECASE)
HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop")
LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Z][A-Z0-9_]*)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def of_objects(objects: Iterable[Mapping[str, Any]], *, given: Collection[str] = ()) -> list[str]:
    """Return where objects say a secret: variables, options, headers of probes, ConfigMaps, Secrets.

    Of a ConfigMap the files are read too. What is ``given`` for Secrets and variables is not said by them.
    """
    every, found = list(objects), list[str]()
    for where, container in containers(every):
        told = ((each.get("name"), each.get("value")) for each in container.get("env") or ())
        found += _held(where, (pair for pair in told if pair[1] not in given))
        found += [f"{where}: {each}" for each in _headers(container)]
        found += [f"{where}: {each}" for each in _options(container)]
    for each in (one for one in every if one["kind"] == "ConfigMap"):
        where, data = f"ConfigMap/{each['metadata']['name']}", each.get("data") or {}
        found += _held(where, data.items())
        for key, text in data.items():
            found += _held(f"{where}/{key}", LINE.findall(str(text)))
            found += of_values(_content(text), f"{where}/{key}: ")
    for each in (one for one in every if one["kind"] == "Secret"):
        pairs = [(key, value) for key, value in _kept(each) if value not in given]
        meant = [(key, value) for key, value in pairs if not TO_BE_REPLACED.fullmatch(value.strip())]
        found += _held(f"Secret/{each['metadata']['name']}", meant)
    return found


def _kept(secret: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the keys and the texts of a Secret."""
    yield from ((str(key), str(value)) for key, value in (secret.get("stringData") or {}).items())
    for key, value in (secret.get("data") or {}).items():
        try:
            yield str(key), base64.b64decode(str(value or ""), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):  # no text, or a word that stands for one
            yield str(key), str(value)


def _content(text: Any) -> Any:
    """Return what a file of several lines holds as JSON or YAML, "" for one that is neither."""
    if not isinstance(text, str) or "\n" not in text.strip():
        return ""
    try:
        return list(plain_yaml.load_all(text, yaml.SafeLoader, once=False))
    except yaml.YAMLError:
        return ""


def _options(container: Mapping[str, Any]) -> Iterator[str]:
    """Give the options of a container's command by which it is told a secret."""
    told = [*(container.get("command") or ()), *(container.get("args") or ())]
    words = [word for each in told for word in str(each).split()]
    for each, after in itertools.pairwise([*words, "--"]):
        option = OPTION.fullmatch(each)
        if option is None or SWITCH.match(option["name"]) or not VALUED.fullmatch(option["name"]):
            continue
        value = option["value"] if option["value"] is not None else after
        if not value.startswith("-") and _is_said(value):
            yield f"option {option['name']}"


def of_services(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return where services of Compose say a secret among their variables."""
    found = []
    for name, each in services.items():
        said = (each or {}).get("environment") or {}
        pairs = said.items() if isinstance(said, Mapping) else (str(one).partition("=")[::2] for one in said)
        found += _held(name, pairs)
    return found


def of_values(values: Any, at: str = "") -> list[str]:
    """Return where the values of a chart say a secret; beside the name of a Secret stands a key of it."""
    if isinstance(values, list):
        return [each for one in values for each in of_values(one, at)]
    if isinstance(values, str):
        content = _content(values)
        return of_values(content, at) if content else []
    if not isinstance(values, Mapping):
        return []
    found = _held(at or "values", [(values.get("name"), values.get("value"))])
    names_one = any("secret" in str(key).lower() for key in values if not VALUED.fullmatch(str(key)))
    for key, each in values.items():
        called = VALUED.fullmatch(str(key)) or NAMED.fullmatch(str(key))
        logs_in = str(key).lower() in HEADERS and bool(LOGS_IN.match(str(each)))
        if logs_in or (called and not names_one and _is_said(each)):
            found.append(f"{at}{key}")
        found += of_values(each, f"{at}{key}.")
    return found


def _held(where: str, pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    called = ((name, value) for name, value in pairs if is_called_so(str(name)))
    return [f"{where}: {name}" for name, value in called if _is_said(value)]


def is_called_so(name: str) -> bool:
    """Return whether a setting has the name of a secret."""
    return bool(NAMED.fullmatch(name) or VALUED.fullmatch(name))


def _is_said(value: Any) -> bool:
    return isinstance(value, str) and HARMLESS.fullmatch(value.strip().strip("\"'")) is None


def _headers(container: Mapping[str, Any]) -> Iterator[str]:
    """Give the headers of a container's probes and hooks by which they log in."""
    hooks = {**container, **(container.get("lifecycle") or {})}
    for name in PROBES:
        told = ((hooks.get(name) or {}).get("httpGet") or {}).get("httpHeaders") or ()
        yield from (
            f"{name}: {each['name']}"
            for each in told
            if str(each.get("name")).lower() in HEADERS and _is_said(each.get("value"))
        )
