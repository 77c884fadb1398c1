"""Where package managers keep what they download, as a recipe has it mounted and as layers show it."""

from __future__ import annotations

import pytest

from boxproof.subject.image.dockerfile import parse
from boxproof.subject.image.layers import Layer
from suites.image import manager_caches

CACHE = "--mount=type=cache,target="
BARE = [
    "apt-get install -y jq",
    "npm ci",
    f"{CACHE}/root/.npm pip install tool==1.2",
    f"{CACHE}/tmp/any npm install -g tool@1.2.3",
    f"{CACHE}/root/.cache/pip pip install --no-cache-dir tool==1.2",
    f"{CACHE}/var/cache/apk apk add --no-cache tini",
    f"{CACHE}/root/.cache/pip python3 -m venv /v && env A=1 uv sync",
    "go mod download",
    f"{CACHE}/var/lib/apt/lists apt-get install -y jq",
    f"{CACHE}/root/.pnpm npm ci",
]
KEPT = [
    f"{CACHE}/var/cache/apt,sharing=locked apt-get install -y jq",
    f"{CACHE}/var/cache apt-get install -y jq",
    f"{CACHE}/root/.cache pip install tool==1.2",
    f"{CACHE}/home/node/.npm/ npm ci",
    "--mount=type=cache,dst=/root/.cache/uv uv sync --frozen",
    f"{CACHE}/go/pkg/mod go install example.com/x@v1.2.3",
    f"{CACHE}/root/.cache/go-build {CACHE}/go/pkg/mod go mod download",
    f"{CACHE}/root/.local/share/pnpm/store pnpm install --frozen-lockfile",
    f"{CACHE}/var/cache/pip pip install tool==1.2",
    f"{CACHE}/cache/npm,sharing=locked npm ci",
    f"{CACHE}/opt/uv-cache uv sync --frozen",
    f"{CACHE}/tmp/poetry_cache poetry install --no-root",
    "pip install --no-index --find-links /wheels tool",
    "apt-get update",
    "npm run build",
    "make install",
]


@pytest.mark.parametrize("command", BARE)
def test_what_keeps_nothing_is_seen(command: str) -> None:
    assert len(manager_caches.unkept(parse(f"FROM a:1 AS one\nRUN {command}\nFROM b:1\n"))) == 1


@pytest.mark.parametrize("command", KEPT)
def test_what_keeps_its_downloads_or_has_none_is_not(command: str) -> None:
    assert manager_caches.unkept(parse(f"FROM a:1\nRUN {command}\n")) == []


def test_the_stages_that_an_image_is_made_of_are_counted_together() -> None:
    one = "FROM a:1 AS one\nRUN apt-get update\n"
    assert manager_caches.updates(parse(f"{one}FROM one\nRUN apt-get update\n")) == 2
    assert manager_caches.updates(parse(f"{one}FROM b:1\nRUN apt-get update\n")) == 1


def test_what_managers_leave_is_told_from_the_rest() -> None:
    left = [
        "root/.npm/_cacache/a",
        "home/x/.cache/pip/http/a",
        "var/cache/apk/APKINDEX.gz",
        "go/pkg/mod/cache/a",
        "usr/src/cache-of-npm/_cacache/index-v5/a",
        "opt/pip-cache/selfcheck/a",
        "uv/archive-v0/a/b.py",
        "opt/conda/pkgs/a-1.2-0.conda",
        "usr/local/bundle/cache/a.gem",
        "tmp/tool_1.2_amd64.deb",
        "tool.rpm",
    ]
    other = [
        "usr/lib/pip/cache.py",
        "var/cache/ldconfig/aux-cache",
        "home/x/.cache/other/a",
        "go/src/a",
        "usr/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl",
        "usr/lib/python3/dist-packages/pip/_internal/cache.py",
        "usr/share/python-wheels/pip-24.0-py3-none-any.whl",
        "opt/venv/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl",
        "usr/local/lib/ruby/gems/3.3.0/cache/debug-1.9.1.gem",
        "usr/share/app/data/a.deb",
        "usr/lib/node_modules/npm/node_modules/cacache/lib/index.js",
    ]
    layer = Layer("", 0, 0, dict.fromkeys([*left, *other], 1))
    assert manager_caches.left([layer]) == sorted(left)


def test_a_mount_may_stand_where_a_variable_says() -> None:
    text = f"FROM a:1\nENV POETRY_CACHE_DIR=/tmp/poetry_cache\nRUN {CACHE}$POETRY_CACHE_DIR poetry install\n"
    assert manager_caches.unkept(parse(text)) == []


@pytest.mark.parametrize(
    "lines",
    [
        f"ENV PIP_NO_CACHE_DIR=off\nRUN {CACHE}/root/.cache/pip pip install tool==1.2",
        f"ARG PIP_NO_CACHE_DIR=1\nRUN {CACHE}/root/.cache/pip pip install tool==1.2",
        f"RUN {CACHE}/root/.cache/pip PIP_NO_CACHE_DIR=1 pip install tool==1.2",
        f"ENV A=b UV_NO_CACHE=true\nRUN {CACHE}/root/.cache/uv uv sync --frozen",
        f"ENV npm_config_cache=/tmp/npm\nRUN {CACHE}/root/.npm npm ci",
    ],
)
def test_a_variable_may_switch_a_cache_off_or_put_it_elsewhere(lines: str) -> None:
    assert len(manager_caches.unkept(parse(f"FROM a:1 AS one\n{lines}\n"))) == 1
    before, _, run = lines.rpartition("\n")
    inherited = f"FROM a:1 AS one\n{before}\nFROM one\n{run}\n"
    told = before.startswith("ENV") or "PIP_NO_CACHE_DIR" in run
    assert len(manager_caches.unkept(parse(inherited))) == int(told)


@pytest.mark.parametrize(
    "lines",
    [
        f"ENV UV_NO_CACHE=0\nRUN {CACHE}/root/.cache/uv uv sync --frozen",
        f"ENV PIP_NO_CACHE_DIR=1\nRUN {CACHE}/root/.cache/pip PIP_NO_CACHE_DIR= pip install tool==1.2",
        f"ENV PIP_CACHE_DIR=/opt/pip-cache\nRUN {CACHE}/opt/pip-cache pip install tool==1.2",
        f"ENV GOMODCACHE=/go/pkg/mod\nRUN {CACHE}/go/pkg/mod/ go mod download",
        f"ENV PIP_NO_CACHE_DIR=1\nRUN {CACHE}/root/.npm npm ci",
    ],
)
def test_a_variable_may_leave_a_cache_where_it_is_mounted(lines: str) -> None:
    assert manager_caches.unkept(parse(f"FROM a:1\n{lines}\n")) == []


def test_what_installers_of_versions_leave_is_told_from_what_they_install() -> None:
    left = ["root/.nvm/.cache/bin/node.tar.xz", "usr/local/rustup/downloads/a", "root/.cache/Homebrew/a"]
    kept = ["root/.nvm/versions/node/v22/bin/node", "root/.rustup/toolchains/stable/bin/rustc"]
    assert manager_caches.left([Layer("", 0, 0, dict.fromkeys([*left, *kept], 1))]) == sorted(left)
