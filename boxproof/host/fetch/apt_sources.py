"""The machine's own apt sources, read to reach another suite of the same mirror; no mirror is named here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_claims.faults import EnvironmentFault

ROLLING = frozenset({"sid", "unstable", "testing"})  # suites without updates and security pockets
POCKETS = ("", "-updates", "-security")
ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


@dataclass(frozen=True)
class Source:
    """One archive of the distribution: ``pocket`` is "", "-updates" or "-security"."""

    uri: str
    pocket: str
    components: tuple[str, ...]
    signed_by: str  # path of a keyring, an armoured key, or ""
    trusted: bool = False  # its owner wants no signature

    def line(self, suite: str, keyring: str) -> str:
        """Return the one-line form of this source for ``suite``."""
        options = [f"signed-by={keyring}"] if keyring else []
        options += ["trusted=yes"] if self.trusted else []
        shown = f"[{' '.join(options)}] " if options else ""
        return f"deb {shown}{self.uri} {suite}{self.pocket} {' '.join(self.components)}"


def distribution(os_release: Path = Path("/etc/os-release")) -> tuple[str, str]:
    """Return the distribution's id and codename, for example ("debian", "bookworm"), or ("", "")."""
    if not os_release.is_file():
        return "", ""
    pairs = (line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    values = {name: value.strip().strip('"') for name, value in pairs}
    return values.get("ID", ""), values.get("VERSION_CODENAME", "")


def own_sources(etc: Path, codename: str) -> list[Source]:
    """Return the distribution's own sources under ``etc`` (/etc/apt); third-party ones are left out.

    Raises EnvironmentFault when there is none.
    """
    found: list[Source] = []
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            found += _deb822(text, codename)
        elif path.suffix == ".list":
            found += _one_line(text, codename)
    if not any(source.pocket == "" for source in found):
        raise EnvironmentFault(
            f"no apt source of {codename or 'this machine'} found under {etc}",
            hint="use a Debian or Ubuntu machine, or a Docker Engine of your own",
        )
    return list(dict.fromkeys(found))


def lines_for(sources: Iterable[Source], suite: str, keys: Path) -> list[str]:
    """Return source lines for ``suite``; keys given inline are written below ``keys``."""
    rolling = suite in ROLLING
    return [
        source.line(suite, _keyring(source.signed_by, keys))
        for source in sources
        if not (rolling and source.pocket)
    ]


def dated(sources: Iterable[Source], url: str) -> list[Source]:
    """Return ``sources`` as the dated archive at ``url`` has them.

    Where the path names the archive, as in …/debian/20260131T120000Z, another of the sources has its own name
    in that place.
    """
    found = list(sources)
    main = next(_archive(each.uri) for each in found if each.pocket == "")
    return [replace(each, uri=_renamed(url, main, _archive(each.uri))) for each in found]


def at_moment(source: Source, suite: str, lists: Path, moment: str) -> Source:
    """Return ``source`` at a moment, by the archive of snapshots that its Release names in apt's ``lists``.

    Raises EnvironmentFault if it names none.
    """
    named = re.sub(r"^[a-z+]+://", "", source.uri.rstrip("/")).replace("/", "_")
    for kind in ("InRelease", "Release"):
        path = lists / f"{named}_dists_{suite}{source.pocket}_{kind}"
        found = (
            re.search(r"^Snapshots: (\S*@SNAPSHOTID@\S*)$", path.read_text(), re.M)
            if path.is_file()
            else None
        )
        if found:
            return replace(source, uri=found[1].replace("@SNAPSHOTID@", moment))
    why = f"BOXPROOF_SNAPSHOT={moment}: the Release of {suite}{source.pocket} names no archive of snapshots"
    raise EnvironmentFault(why, hint="set BOXPROOF_SNAPSHOT to the URL of the dated archive")


def _archive(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]


def _renamed(url: str, main: str, own: str) -> str:
    return "/".join(own if part == main else part for part in url.rstrip("/").split("/"))


def _pocket(suite: str, codename: str) -> str | None:
    if not suite.startswith(codename):
        return None
    rest = suite.removeprefix(codename).replace("/updates", "-security")
    return rest if rest in POCKETS else None


def _one_line(text: str, codename: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = ONE_LINE.match(line.split("#", 1)[0].strip())
        pocket = _pocket(match["suite"], codename) if match else None
        if match is None or pocket is None:
            continue
        options = dict(each.split("=", 1) for each in (match["options"] or "").split() if "=" in each)
        yield Source(
            match["uri"],
            pocket,
            _main(match["components"]),
            options.get("signed-by", ""),
            options.get("trusted", "") == "yes",
        )


def _deb822(text: str, codename: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        for suite in fields.get("suites", "").split():
            pocket = _pocket(suite, codename)
            if pocket is None:
                continue
            for uri in fields.get("uris", "").split():
                components, trusted = _main(fields.get("components", "")), fields.get("trusted", "") == "yes"
                yield Source(uri, pocket, components, fields.get("signed-by", ""), trusted)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            continued = line[1:] if line.strip() != "." else ""
            fields[name] += "\n" + continued
        elif ":" in line:
            name, value = (each.strip() for each in line.split(":", 1))
            name = name.lower()
            fields[name] = value
    return {name: value.strip() for name, value in fields.items()}


def _main(components: str) -> tuple[str, ...]:
    wanted = [each for each in components.split() if each in {"main", "universe"}]
    return tuple(wanted) or ("main",)


def _keyring(signed_by: str, keys: Path) -> str:
    if "BEGIN PGP" not in signed_by:
        return signed_by.split(maxsplit=1)[0] if signed_by else ""
    keys.mkdir(parents=True, exist_ok=True)
    path = keys / f"inline-{hashlib.sha256(signed_by.encode()).hexdigest()[:12]}.asc"
    path.write_text(signed_by + "\n")
    return str(path)
