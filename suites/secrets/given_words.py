"""Secrets among the words of commands that users or containers run: whoever lists processes reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from boxproof.core.secret_values import PLAIN
from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.shell_commands import commands, program, script
from boxproof.subject.manifests.pod_specs import containers

NAME = r"(?:[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY)|(?:[A-Z0-9_]*_)?PAT)"
SMALL = r"(?:[a-z0-9_]*_)?(?:token|secret|password|passwd|passphrase|pat|api_?key)\b"
EXPANDED = re.compile(rf"\$(?:{NAME}(?![A-Z0-9_])|\{{{NAME}[^A-Z0-9_]|\{{?{SMALL})")
BY_KUBERNETES = re.compile(rf"\$\({NAME}\)")  # in a container's command
HEADER = re.compile(r"\b(?:authorization:\s*(?:bearer|basic|token)|x-api-key:)\s*[^\s%]", re.IGNORECASE)
READ = re.compile(
    r"\$\((?:cat\s|<)[^()|]*(?:token|secret|passw|credential|netrc|api[_-]?key)[^()|]*\)", re.IGNORECASE
)
# programs that print one: whoever keeps logins for a user, a cloud, a cluster
PRINTED = re.compile(
    r"\$\((?:aws\s+(?:ecr\S*\s+get-login-password|secretsmanager\s)|op\s+read|pass\s+show|gh\s+auth\s+token"
    r"|gcloud\s+auth\s+print-|az\s+account\s+get-access-token|vault\s+(?:kv\s+get|read)|bw\s+get"
    r"|security\s+find-(?:generic|internet)-password|secret-tool\s+lookup|sops\s+(?:-d|--decrypt|decrypt)"
    r"|kubectl\s[^()|]*\b(?:create\s+token|get\s+secrets?\b[^()|]*\.data))\b"
)
GIVEN = re.compile(rf"^(?:--?[\w-]+=|-e)?{NAME}=\S")
LITERAL = re.compile(r"^--from-literal=[\w.-]*(?:token|password|secret)[\w.-]*=(?!sha256:)\S", re.IGNORECASE)
OF_SECRET = re.compile(r"^--from-literal=(?P<key>[\w.-]+)=(?!sha256:)\S")  # of a Secret, whatever the key
OPEN = PLAIN | {"branch", "email", "region", "server", "endpoint", "bucket", "port", "scheme", "ca.crt"}
# a value of a chart; what only says that there is one, or what it is called, is none
VALUE = re.compile(
    r"^--set(?:-string|-literal)?=(?:.*[.,{])?[\w-]*(?:token|password|passwd|passphrase|api[_-]?key)="
    r"(?!sha256:|(?:true|false|null)\b)[^\s,}]",
    re.IGNORECASE,
)
USERINFO = re.compile(
    r"://(?!(?:x-access-token|oauth2|git)@)(?:[^\s/:@]*:)?[^\s/@]*"
    r"(?:token|password|secret|(?<![a-z])pat(?![a-z])|gh[opsu]_|github_pat_|glpat-)[^\s/@]*@",
    re.IGNORECASE,
)
# an option and its value in the next word
PAIRED = frozenset({"--from-literal", "--from-file", "--set", "--set-string", "--set-literal", "-e", "--env"})
SUBSTITUTED = re.compile(r"\$\([^()]*\)")
ONE_WORD = "\N{NO-BREAK SPACE}"  # what is substituted is one word with what is around it
HERE = re.compile(r"<<<\s*(?:\"[^\"]*\"|'[^']*'|\S+)")  # standard input, and no word
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop")
LOGINS = {  # options whose value is a login: of curl a name and a password, of wget the password
    "curl": re.compile(r"(?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)[= ]?[^\s:=]*:(?P<value>\S+)"),
    "wget": re.compile(r"--(?:http-|ftp-|proxy-)?password[= ](?P<value>\S+)"),
}
BUILT_IN = frozenset(
    {"printf", "echo", "export", "read", "test", "[", "[[", "unset", ":"}
)  # start no process


def in_words(texts: Mapping[str, str]) -> list[str]:
    """Return the commands of texts (by their names) that have a secret among their words."""
    return [f"{name}: {each}" for name, text in texts.items() for each in _of_text(text)]


def _of_text(text: str) -> Iterator[str]:
    for line in CONTINUED.sub(" ", text).splitlines():
        if not line.lstrip().startswith("#"):
            plain = HERE.sub("", line)
            joined = SUBSTITUTED.sub(lambda found: found[0].replace(" ", ONE_WORD), plain)
            for each in dict.fromkeys((plain, joined)):
                yield from _of_line(each)


def _of_line(line: str) -> Iterator[str]:
    for written, words in commands(line):
        inner = _inner(words)
        given = [each for each in words[1:] if each != inner or not _is_quoted(inner, written)]
        made = _joined(given)
        if (
            words
            and words[0] not in BUILT_IN
            and (any(map(_shows, made)) or _fills_secret(words, made) or _logs_in(words))
        ):
            yield written.replace(ONE_WORD, " ")
        if inner and not script(words):  # else it is among the commands
            yield from _of_text(inner)


def _logs_in(words: Sequence[str]) -> bool:
    """Return whether a program that fetches is told a password, whatever that looks like."""
    login = LOGINS.get(program(words[0]))
    pairs = (f"{one} {other}" for one, other in zip(words[1:], (*words[2:], ""), strict=True))
    return login is not None and any(map(login.match, pairs))


def _joined(words: Iterable[str]) -> list[str]:
    """Return words with an option and its value in one, as "--NAME=VALUE"."""
    found: list[str] = []
    for each in words:
        if found and found[-1] in PAIRED:
            found[-1] += f"={each}"
        else:
            found.append(each)
    return found


def _fills_secret(words: Sequence[str], given: Iterable[str]) -> bool:
    """Return whether a command makes a Secret of one of its words: "secret" stands before its options."""
    told = (OF_SECRET.match(SUBSTITUTED.sub("", each)) for each in given)
    return "secret" in words and any(each and each["key"].lower() not in OPEN for each in told)


def _inner(words: Sequence[str]) -> str:
    """Return the text that a shell is given to carry out, be it behind another program; "" for none."""
    found = (script(tuple(words[at:])) for at in range(len(words)))
    return next((each for each in found if each), "")


def _is_quoted(text: str, written: str) -> bool:
    """Return whether a text stands in a line as it is: nothing of it is filled in before it is read."""
    return f"'{text}'" in written or shlex.quote(text) in written


def _shows(word: str) -> bool:
    plain = SUBSTITUTED.sub("", word)
    whole = any(each.search(word) for each in (BY_KUBERNETES, HEADER, READ, PRINTED, USERINFO))
    written = any(each.match(plain) for each in (LITERAL, VALUE))
    return bool(whole or EXPANDED.search(plain) or GIVEN.match(word) or written)


def of_containers(asked: str, objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the commands of containers, of their probes and hooks, as lines of a shell, by their places."""
    found = {}
    for where, container in containers(objects):
        for place, words in _commands(container):
            found[f"{asked}: {where}: {place}"] = shlex.join(map(str, words))
    return found


def _commands(container: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    if words:
        yield "command", words
    hooks = {**container, **(container.get("lifecycle") or {})}
    for name in PROBES:
        asked = ((hooks.get(name) or {}).get("exec") or {}).get("command")
        if asked:
            yield name, asked


def of_services(files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the commands of the services of Compose files, and those that ask how they are."""
    found = {}
    for name, content in files.items():
        for service, each in (content.get("services") or {}).items():
            health = ((each or {}).get("healthcheck") or {}).get("test")
            said = {key: (each or {}).get(key) for key in ("entrypoint", "command")} | {"health": health}
            for place, words in said.items():
                if words:
                    found[f"{name}: {service}: {place}"] = _line(words)
    return found


def _line(words: Any) -> str:
    """Return a command of Compose as a line of a shell: a text is one, a list may hold one."""
    if isinstance(words, str):
        return words
    every = [str(each) for each in words]
    if every[:1] == ["CMD-SHELL"]:
        return " ".join(every[1:])
    return shlex.join(every[1:] if every[:1] == ["CMD"] else every)
