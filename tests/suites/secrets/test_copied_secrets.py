"""Files of secrets that a recipe copies: which are seen, and which files of the same names are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.image.dockerfile import parse
from suites.secrets import copied_secrets

TOKEN = "sk-ant-" + "oat01-" + "x" * 40  # has the shape of a token, and is none


def found(context: Path, *lines: str, ignored: str = "") -> list[str]:
    """Return what is found of a recipe with these lines."""
    return copied_secrets.found(parse("\n".join(["FROM debian:12", *lines, ""])), context, ignored)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("COPY .env .", ".env as /.env"),
        ("COPY --chown=node:node .claude.json /home/node/", ".claude.json as /home/node/.claude.json"),
        ("ADD .npmrc /root/.npmrc", ".npmrc as /root/.npmrc"),
        ("COPY credentials*.json /app/", "credentials.json as /app/credentials.json"),
        ('COPY ["docker/.env.local", "/app/"]', "docker/.env.local as /app/.env.local"),
        (
            "COPY login.json /home/a/.claude/.credentials.json",
            "login.json as /home/a/.claude/.credentials.json",
        ),
        ("COPY .ssh/id_ed25519 /root/.ssh/", ".ssh/id_ed25519 as /root/.ssh/id_ed25519"),
    ],
)
def test_a_file_that_its_user_has_is_seen(tmp_path: Path, line: str, seen: str) -> None:
    assert found(tmp_path, line) == [seen]


def test_one_that_is_there_is_seen_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/.env").write_text(f"ANTHROPIC_API_KEY={TOKEN}\n")
    assert found(tmp_path, "COPY . /srv") == ["app/.env as /srv/app/.env"]
    assert found(tmp_path, "COPY app /srv/") == ["app/.env as /srv/.env"]
    assert found(tmp_path, "COPY . /srv", ignored="**/.env\n") == []


def test_settings_that_hold_no_secret_are_right(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("engine-strict=true\nregistry=https://registry.example.org/\n")
    (tmp_path / ".env").write_text("PYTHON_VERSION=3.12\nTZ=UTC\n")
    (tmp_path / ".claude.json").write_text('{"hasCompletedOnboarding": true}\n')
    (tmp_path / "kubeconfig").write_text("users: [{user: {tokenFile: /var/run/secrets/token}}]\n")
    assert found(tmp_path, "COPY .npmrc .env .claude.json kubeconfig /app/", "COPY . /app") == []


@pytest.mark.parametrize(
    "lines",
    [
        ["COPY .env.example /app/.env.example"],
        ["COPY .env.example /app/.env"],
        ["COPY credentials.sample.json .npmrc.template /app/"],
        ["COPY *.json /app/"],
        ["COPY ca.pem docker.key id_rsa.pub /etc/keys/"],
        ["RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci"],
        ["RUN --mount=type=bind,source=.env,target=/run/.env true"],
        ["COPY --from=debian:12 /root/.npmrc /root/"],
        ["COPY $SETTINGS/.env /app/"],
    ],
)
def test_examples_keys_of_others_and_mounts_are_right(tmp_path: Path, lines: list[str]) -> None:
    assert found(tmp_path, *lines) == []


def test_what_a_stage_before_has_or_the_ignore_file_leaves_out_is_in_no_layer(tmp_path: Path) -> None:
    recipe = parse("FROM a:1 AS built\nCOPY .npmrc ./\nFROM b:1\nCOPY --from=built /app /app\n")
    assert copied_secrets.found(recipe, tmp_path) == []
    assert found(tmp_path, "COPY package.json .npmrc* ./", ignored=".npmrc\n") == []


def test_one_of_any_name_is_seen_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_text(f"index-url = https://robot:a1{'b2' * 6}@example.org/simple\n")
    (tmp_path / "etc/npmrc").write_text("//registry.example.org/:_authToken=your-token-goes-here\n")
    (tmp_path / "etc/images").write_text("docker://debian:bookworm-20240101@sha256:abc\n")
    assert found(tmp_path, "COPY etc/ /etc/") == ["etc/pip.conf as /etc/pip.conf"]


def test_what_a_stage_before_gets_is_in_the_cache(tmp_path: Path) -> None:
    recipe = parse("FROM a:1 AS built\nCOPY .npmrc .env ./\nFROM b:1\nCOPY --from=built /app /app\n")
    (tmp_path / ".npmrc").write_text(f"//registry.example.org/:_authToken=a1{'b2' * 6}\n")
    assert copied_secrets.held(recipe, tmp_path) == [".npmrc"]
    assert copied_secrets.held(recipe, tmp_path, ".npmrc\n") == []
