"""Which comparisons with a checksum guard a build: those that end it where they fail."""

from __future__ import annotations

import pytest

from boxproof.subject.image.dockerfile import parse
from boxproof.subject.supply_chain import package_lock

GET = "curl -fsSLo /x https://example.invalid/x"
SUM = "a" * 64
CHECK = f"echo '{SUM}  /x' | sha256sum -c -"
GUARDS = [
    f"RUN {GET} && {CHECK}",
    f"RUN {GET} && {CHECK} && chmod +x /x",
    f"RUN {GET} && {CHECK} >/dev/null 2>&1 && chmod +x /x",
    f"RUN set -eux; {GET}; {CHECK}; chmod +x /x",
    f"RUN set -o errexit; {GET}; {CHECK}; chmod +x /x",
    f"RUN {GET}; {CHECK}",
    f"RUN {GET}; {CHECK} || exit 1; chmod +x /x",
    f"RUN {GET}; {CHECK} || {{ echo no >&2; exit 1; }}; chmod +x /x",
    f"RUN {GET}; if ! {CHECK}; then echo no; exit 1; fi; chmod +x /x",
    f"RUN {GET} && {CHECK} | grep -q OK && chmod +x /x",
    f"RUN {GET} && {CHECK} && {{ rm -f /y || true; }} && chmod +x /x",
    f"RUN {GET} && {CHECK} && {{ [ -z \"${{Y}}\" ] || rm \"$(cat ${{Y}} || :)\"; }} && chmod +x /x",
    f"RUN {{ {GET}; {CHECK}; }} && chmod +x /x",
    f"RUN (cd / && {GET} && {CHECK}) && chmod +x /x",
    f"RUN <<EOF\nset -e\n{GET}\n{CHECK}\nchmod +x /x\nEOF",
    f"RUN <<EOF\n#!/bin/bash -e\n{GET}\n{CHECK}\nchmod +x /x\nEOF",
    f"RUN bash -eu <<EOF\n{GET}\n{CHECK}\nchmod +x /x\nEOF",
    f'SHELL ["/bin/bash", "-euo", "pipefail", "-c"]\nRUN {GET}; {CHECK}; chmod +x /x',
    f"RUN case $(arch) in x86_64) {GET}; {CHECK} ;; *) exit 1 ;; esac",
    f"RUN test -n \"$V\" && {GET} && {CHECK}",
    f"RUN if [ -n \"$V\" ]; then echo $V; fi && {GET} && sha256sum -c /sums",
    f"ARG SUM={SUM}\nRUN {GET}; if [ -n \"$SUM\" ]; then echo \"$SUM  /x\" | sha256sum -c; fi",
    "RUN set -eux; apt-get install -y curl; " + GET + "; " + CHECK + "; rm -f /z || true",
    f"RUN curl -fsSLo /x https://example.invalid/${{A}}/x-${{B}},1 && {CHECK}",
    f"ADD https://example.invalid/x.git#{'b' * 40} /x",
    f"RUN wget -qO /x https://example.invalid/x.apk && {CHECK} && apk add --allow-untrusted /x",
    f"RUN {GET} && {{ echo '{SUM}  /y'; echo '{SUM}  /x'; }} | sha256sum -c -",
    f"RUN {GET} && {CHECK} & wait $!",
    f"RUN until {GET} && {CHECK}; do sleep 1; done; chmod +x /x",
    "RUN echo 'deb [trusted=yes] file:/packages ./' > /etc/apt/sources.list && apt-get update",
]  # fmt: skip
NO_GUARDS = [
    f"RUN {GET} && {CHECK.replace('/x', '/y')}",
    f"RUN {GET} && {CHECK.replace('/x', '/etc/hostname')} && chmod +x /x",
    f"RUN {GET}; {CHECK}; chmod +x /x",
    f"RUN {GET} && {CHECK} || true",
    f"RUN {GET} && {CHECK} || echo 'no match'",
    f"RUN {GET} && ({CHECK} || :) && chmod +x /x",
    f"RUN {GET} && {CHECK} && chmod +x /x || true",
    f"RUN {GET} && {CHECK} | tee /log && chmod +x /x",
    f"RUN {GET}; if {CHECK}; then echo fine; fi; chmod +x /x",
    f"RUN <<EOF\n{GET}\n{CHECK}\nchmod +x /x\nEOF",
    f"ARG SUM=\nRUN {GET}; if [ -n \"$SUM\" ]; then echo \"$SUM  /x\" | sha256sum -c; fi",
    f"ARG SUM\nRUN {GET} && {{ [ -z \"$SUM\" ] || echo \"$SUM  /x\" | sha256sum -c; }} && chmod +x /x",
    f"RUN {GET} && {CHECK} & chmod +x /y",
    f"RUN {GET} && sha256sum -c <(curl -fsSL https://example.invalid/x.sha256)",
    f"RUN {GET} && echo \"`curl -fsSL https://example.invalid/x.sha256`  /x\" | sha256sum -c",
    'RUN curl -fsSLO "https://example.invalid/{x,x.sha256}" && sha256sum -c x.sha256',
    "RUN curl -fsSLO https://example.invalid/{x,SUMS} && sha256sum -c SUMS",
    "RUN apt-get install -y --allow-unauthenticated tool",
    "RUN echo 'deb [arch=amd64 trusted=yes] https://example.invalid/ ./' > /l && apt-get install -y tool",
    "RUN apt-get -o Acquire::AllowInsecureRepositories=true update && apt-get install -y tool",
    "RUN dnf install -y --nogpgcheck tool",
]  # fmt: skip


@pytest.mark.parametrize("lines", GUARDS)
def test_what_ends_a_build_guards_it(lines: str) -> None:
    assert package_lock.unguarded(parse(f"FROM a:1\n{lines}\n")) == []


@pytest.mark.parametrize("lines", NO_GUARDS)
def test_what_fails_and_goes_on_guards_nothing(lines: str) -> None:
    assert len(package_lock.unguarded(parse(f"FROM a:1\n{lines}\n"))) == 1


def test_the_shell_of_the_stage_that_one_begins_with_counts() -> None:
    text = 'FROM a:1 AS one\nSHELL ["/bin/sh", "-ec"]\nFROM one\nRUN {0}; {1}; chmod +x /x\n'
    assert package_lock.unguarded(parse(text.format(GET, CHECK))) == []
    assert package_lock.unguarded(parse(text.replace("-ec", "-c").format(GET, CHECK))) != []
