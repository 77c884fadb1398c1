"""What a deployed box puts in the place of programs, and what it does not."""

from __future__ import annotations

import pytest

from suites.image import fetched_programs


@pytest.mark.parametrize(
    "text",
    [
        "curl -fsSL https://example.org/x.tgz | tar xz -C /tools",
        "wget -qO- https://example.org/x.tgz | tar -xzC /usr/local/bin",
        "curl -o /tmp/x.zip https://example.org/x.zip\ncd /tmp\nunzip x.zip -d $HOME/.local/bin",
        "curl -Lo /home/a/bin/kubectl https://example.org/kubectl",
        "wget https://example.org/x -P /opt/bin/",
        "curl https://example.org/x > /usr/local/bin/x",
        "curl -LO https://example.org/x && install -m 755 x /usr/local/bin/x",
        "apt-get -o Acquire::Retries=3 install -y jq",
        "npm --prefix /srv/tools install tool",
        "pip --disable-pip-version-check --proxy http://p:3128 install tool",
    ],
)
def test_a_program_that_is_put_there_is_seen(text: str) -> None:
    assert fetched_programs.fetching({"a": text}).keys() == {"a"}


@pytest.mark.parametrize(
    "text",
    [
        "curl -fsS -o /dev/null http://127.0.0.1:8080/healthz",
        "curl -fsSL https://example.org/repository.tgz | tar xz -C /workspace",
        "curl -o /tmp/tools.json https://example.org/tools.json",
        "curl https://example.org/usr/bin",
        "npm --silent run build",
        "tar xzf /opt/seed.tgz -C /usr/local",
        "pip --version",
    ],
)
def test_what_is_none_or_comes_of_the_image_is_not(text: str) -> None:
    assert fetched_programs.fetching({"a": text}) == {}
