"""Settings that are called as secrets are, and have a value: of pods, Compose files, charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boxproof.subject.manifests.pod_specs import containers

NAMED = re.compile(
    r"(?:[A-Z0-9_]*(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|(?:CLIENT|JWT)_SECRET)"
    r"|(?:[A-Z0-9_]*_)?PAT)"
)
VALUED = re.compile(
    r"(?:\w*[_a-z])?(?:[Tt]oken|[Pp]assw(?:or)?d|[Pp]assphrase|[Aa]pi_?[Kk]ey|[Cc]lientSecret)"
)
# nothing, a path, what is filled in, a digest, a switch, a number, an address without a login
HARMLESS = re.compile(
    r"[/~.]\S*|\$.*|\{\{.*|sha256:\S*|true|false|null|none|unset|\d{1,6}|https?://[^@\s]*|",
    re.IGNORECASE | re.DOTALL,
)
HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop")
LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Z][A-Z0-9_]*)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def of_objects(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return where objects say a secret: variables, headers of probes, ConfigMaps and the files in these."""
    every, found = list(objects), list[str]()
    for where, container in containers(every):
        found += _held(where, ((each.get("name"), each.get("value")) for each in container.get("env") or ()))
        found += [f"{where}: {each}" for each in _headers(container)]
    for each in (one for one in every if one["kind"] == "ConfigMap"):
        where, data = f"ConfigMap/{each['metadata']['name']}", each.get("data") or {}
        found += _held(where, data.items())
        for key, text in data.items():
            found += _held(f"{where}/{key}", LINE.findall(str(text)))
    return found


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
    if not isinstance(values, Mapping):
        return []
    found = _held(at or "values", [(values.get("name"), values.get("value"))])
    names_one = any("secret" in str(key).lower() for key in values if not VALUED.fullmatch(str(key)))
    for key, each in values.items():
        called = VALUED.fullmatch(str(key)) or NAMED.fullmatch(str(key))
        if called and not names_one and _is_said(each):
            found.append(f"{at}{key}")
        found += of_values(each, f"{at}{key}.")
    return found


def _held(where: str, pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    return [f"{where}: {name}" for name, value in pairs if NAMED.fullmatch(str(name)) and _is_said(value)]


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
