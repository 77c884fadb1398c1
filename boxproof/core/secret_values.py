"""The secrets that this harness makes or reads, handed to the redaction before anything can be written.

Also the forms in which a secret may stand in a text, so that none passes for its absence, and the traceback
that a defect leaves in a file, without secrets.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from boxproof.core import settings
from boxproof.core.process import temporary_root
from pytest_claims import selection
from pytest_claims.faults import UsageError
from pytest_claims.recording import redaction, writing

SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?|_AUTH|_PASS)$",
    re.IGNORECASE,
)
USERINFO = re.compile(r"://(?:[^\s/:@]*:)?([^\s/@]+)@")
IN_LOGIN = ("auth", "identitytoken", "registrytoken", "password")  # of an entry in docker's config.json
IN_USER = ("token", "password", "client-key-data", "id-token", "refresh-token", "access-token")
PLAIN = frozenset({  # keys of Secrets whose values are no secrets, and occur everywhere
    "namespace", "username", "user", "repository", "url", "host", "hostname", "type", "name", "stub-address",
})  # fmt: skip
SHORTEST = 8  # characters of a Secret's value: shorter ones are words
SHORTEST_FORM = 6  # characters of a form that are no accident in another text
FILE = "traceback.txt"


def at_hand() -> Iterator[str]:
    """Yield the secrets of environment and registry logins, which cost next to nothing to read."""
    yield from environment(settings.every_variable())
    yield from logins(settings.docker_config())


def own(kubeconfigs: Iterable[str] = ()) -> Iterator[str]:
    """Yield the user's own secrets: those at hand and those of kubeconfigs, as far as we can read."""
    yield from at_hand()
    for path in {*kubeconfigs, *map(str, settings.kubeconfig_files())}:
        yield from users(Path(path))


def environment(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of variables that are named as secrets are, and the passwords in addresses."""
    for name, value in variables.items():
        yield from USERINFO.findall(value)
        if SECRET_NAME.search(name) and not value.startswith(("/", "~")):
            yield value


def demand_apart(texts: Iterable[str]) -> None:
    """Raise UsageError where a secret variable's value stands in texts of ours: it would be taken out."""
    ours = list(texts)
    for name, value in settings.every_variable().items():
        secrets = [each.strip() for each in environment({name: value})]
        known = [each for each in secrets if len(each) >= redaction.SHORTEST]
        if any(secret in each for secret in known for each in ours):
            told = f"the secret in {name} is in a directory, a claim or a word of reports too"
            raise UsageError(told, hint=f"it would be taken out there: change it, or env -u {name} …")


def logins(path: Path) -> Iterator[str]:
    """Yield the logins of docker's config.json."""
    found = _json(path).get("auths")
    for entry in found.values() if isinstance(found, dict) else ():
        for key in IN_LOGIN:
            value = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(value, str) and value:
                yield value
                yield from _clear(value) if key == "auth" else ()


def users(path: Path) -> Iterator[str]:
    """Yield the tokens, passwords and keys of the users of a kubeconfig."""
    import yaml

    try:
        parsed = yaml.safe_load(_text(path))
        listed = [each["user"] for each in parsed["users"]]
    except (OSError, ValueError, RecursionError, yaml.YAMLError, KeyError, TypeError):
        return
    for user in listed:
        yield from _of_user(_table(user))


def _text(path: Path) -> str:
    """Return the text of a plain file that people write; raises ValueError for any other."""
    if not path.is_file() or path.stat().st_size > selection.LARGEST:
        raise ValueError(f"{path} is no file, or too large")
    return path.read_text()


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_user(user: Mapping[str, Any]) -> Iterator[str]:
    provider = _table(_table(user.get("auth-provider")).get("config"))
    for key, value in {**provider, **user}.items():
        if key in IN_USER and isinstance(value, str):
            yield value
            yield from _clear(value) if key == "client-key-data" else ()
    given = _table(user.get("exec")).get("env")
    listed = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    yield from environment({str(each.get("name")): str(each.get("value", "")) for each in listed})


def learn_object(item: Any) -> None:
    """Hand over what an object of the API holds: the values of Secrets, a requested token."""
    kind = item.get("kind", "") if isinstance(item, dict) else ""
    if kind == "SecretList":
        for each in item.get("items") or ():
            redaction.add(*_of_secret(each))
    elif kind == "Secret":
        redaction.add(*_of_secret(item))
    elif kind == "TokenRequest":
        redaction.add(str((item.get("status") or {}).get("token") or ""))


def _of_secret(item: Mapping[str, Any]) -> Iterator[str]:
    for key, value in (item.get("stringData") or {}).items():
        yield from _worth(key, str(value))
    for key, value in (item.get("data") or {}).items():
        for clear in _clear(str(value or "")):
            yield from _worth(key, clear)


def _worth(key: str, value: str) -> Iterator[str]:
    if key in PLAIN or key.endswith(".crt") or len(value.strip()) < SHORTEST:
        return
    yield value
    if key == ".dockerconfigjson":
        found = json.loads(value).get("auths", {}) if value.lstrip().startswith("{") else {}
        yield from (str(each[name]) for each in found.values() for name in IN_LOGIN if each.get(name))


def _clear(value: str) -> Iterator[str]:
    """Yield the text behind base64, and for a login its password alone."""
    try:
        text = base64.b64decode(value).decode()
    except ValueError:  # no base64, no ASCII or no UTF-8
        return
    yield text
    user, colon, password = text.partition(":")
    if colon and "\n" not in text and user:
        yield password


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def forms(secret: str) -> tuple[str, ...]:
    """Return the secret as it is, reversed, in base64 at each offset, in hex, for URLs and in JSON.

    A form in base64 is what stays the same wherever in a longer text the secret was when that was encoded.
    """
    raw = secret.encode()
    found = [
        secret,
        secret[::-1],
        raw.hex(),
        raw.hex().upper(),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
    ]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found += [_inner(encode(b"\0" * before + raw).decode(), before, len(raw)) for before in range(3)]
    found += [base64.b32encode(raw).decode().rstrip("=")[: len(raw) * 8 // 5]]
    return tuple(dict.fromkeys(each for each in found if len(each) >= SHORTEST_FORM))


def holds_secret(text: str, *secrets: str) -> bool:
    """Return whether a text holds one of the secrets in any of its forms, also broken over lines."""
    joined = "".join(text.split())
    return any(form in text or form in joined for secret in secrets for form in forms(secret))


def _inner(encoded: str, before: int, length: int) -> str:
    """Return the characters of a base64 text that depend on the secret alone, not on what surrounds it."""
    first = -(-before * 8 // 6)
    last = (before + length) * 8 // 6
    return encoded[first:last]


def keep_traceback(error: BaseException, directory: Path | None = None) -> str:
    """Write the traceback of ``error`` into ``directory``, else a new temporary file; returns where, or "".

    A disk that has no room for it is no further error.
    """
    text = redaction.text("".join(traceback.format_exception(error)))
    try:
        if directory is not None and directory.is_dir():
            path = directory / FILE
            return str(writing.append_text(path, text))
        with tempfile.NamedTemporaryFile(
            "w", prefix="boxproof-", suffix=f"-{FILE}", dir=temporary_root(), delete=False, encoding="utf-8"
        ) as made:
            made.write(text)
        return made.name
    except OSError:
        return ""
