"""How an image is built, by what development containers, Bake and Compose say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import write

DEVCONTAINER = """\ufeff// a remark, https://example.com
{
  "name": "box", /* another */
  "build": {
    "dockerfile": "Dockerfile.dev", "context": "..", "target": "run",
    "args": {"TZ": "${localEnv:TZ:UTC}", "V": "1.2", "WHO": "${localEnv:USER}"},
  },
  "containerEnv": {"CLAUDE_CONFIG_DIR": "/home/dev/.claude"},
  "postCreateCommand": "true",
}
"""
RECIPE = "FROM a:1 AS run\nUSER 7\n"


def test_a_development_container_says_how_its_image_is_built(tmp_path: Path) -> None:
    files = {".devcontainer/devcontainer.json": DEVCONTAINER, ".devcontainer/Dockerfile.dev": RECIPE}
    found = signs.detect(write(tmp_path, **files))
    wanted = {
        "image.dockerfile": ".devcontainer/Dockerfile.dev", "image.context": ".", "image.target": "run",
        "image.args": {"TZ": "UTC", "V": "1.2"}, "config_dir": "/home/dev/.claude", "uid": 7,
        "profiles": ["claude-code"],
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert [each for each in found.remarks if "postCreateCommand" in each]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ('{"image": "acme/dev:1", "features": {"x": {}}}', "acme/dev:1"),
        ('{"image": "${localEnv:IMAGE}"}', None),
        ('{"image": "${localEnv:IMAGE:acme/dev:2}"}', "acme/dev:2"),
        ("{no JSON", None),
    ],
)
def test_a_development_container_may_name_an_image(tmp_path: Path, text: str, reference: str | None) -> None:
    found = signs.detect(write(tmp_path, **{".devcontainer.json": text}))
    assert found.get("image.reference") == reference


def test_a_development_container_of_another_recipe_says_nothing_of_the_box(tmp_path: Path) -> None:
    files = {".devcontainer/devcontainer.json": DEVCONTAINER, ".devcontainer/Dockerfile.dev": RECIPE}
    found = signs.detect(write(tmp_path, Dockerfile="FROM b:1\n", **files))
    assert (found.get("image.dockerfile"), found.get("image.args")) == ("Dockerfile", None)


def test_the_service_of_a_development_container_is_the_agents(tmp_path: Path) -> None:
    told = '{"dockerComposeFile": ["../compose.yaml"], "service": "shell"}'
    compose = "services: {app: {build: .}, shell: {image: 'acme/shell:1'}}\n"
    found = signs.detect(
        write(tmp_path, **{".devcontainer/devcontainer.json": told, "compose.yaml": compose})
    )
    assert (found.get("compose.service"), found.get("image.reference")) == ("shell", "acme/shell:1")


BAKE = """
// docker-bake.hcl, https://example.com
variable "VERSION" { default = "1.2" }
variable "REGISTRY" {}
group "default" {
  targets = ["cache", "agent"]
}
target "_common" { args = { A = "1", B = REGISTRY } }
target "cache" {
  dockerfile = "redis/Dockerfile"
}
target "agent" {
  inherits   = ["_common"]
  context    = "./images"
  dockerfile = "agent/Dockerfile"
  target     = "run"
  args = {
    V = "v${VERSION}"
    R = "${REGISTRY}/x"
  }
  contexts = {
    shared = "./lib", base = "docker-image://debian:12", built = "target:cache"
  }
  labels = { "a.b" = "context = x" }
}
"""


def test_a_file_of_bake_says_how_the_agents_target_is_built(tmp_path: Path) -> None:
    recipe = "FROM base AS run\nCOPY --from=shared /x /x\nUSER 7\n"
    files = {"docker-bake.hcl": BAKE, "images/agent/Dockerfile": recipe, "redis/Dockerfile": "FROM redis:7\n"}
    found = signs.detect(write(tmp_path, **files))
    wanted = {
        "image.dockerfile": "images/agent/Dockerfile", "image.context": "images", "image.target": "run",
        "image.args": {"A": "1", "V": "v1.2"}, "uid": 7,
        "image.contexts": {"shared": "lib", "base": "docker-image://debian:12", "built": "target:cache"},
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted


def test_a_file_of_bake_in_json_is_read_and_one_for_another_directory_is_not(tmp_path: Path) -> None:
    text = '{"target": {"default": {"dockerfile": "Dockerfile.x", "args": {"A": "1"}}}}'
    found = signs.detect(write(tmp_path / "a", **{"docker-bake.json": text, "Dockerfile.x": RECIPE}))
    assert (found.get("image.dockerfile"), found.get("image.args")) == ("Dockerfile.x", {"A": "1"})
    above = 'target "default" {\n  context = "../"\n  dockerfile = "b/Dockerfile"\n}\n'
    found = signs.detect(write(tmp_path / "b", **{"docker-bake.hcl": above, "Dockerfile": RECIPE}))
    assert (found.get("image.dockerfile"), found.get("image.context")) == ("Dockerfile", ".")


def test_a_service_has_the_contexts_that_compose_gives_a_name(tmp_path: Path) -> None:
    build = (
        "{context: ., additional_contexts: ['lib=../lib', 'b=service:base', 'o=https://example.com/o.git']}"
    )
    text = f"services: {{agent: {{build: {build}}}}}\n"
    found = signs.detect(write(tmp_path, **{"deploy/compose.yaml": text, "deploy/Dockerfile": RECIPE}))
    wanted = {"lib": "lib", "b": "service:base", "o": "https://example.com/o.git"}
    assert found.get("image.contexts") == wanted


def test_the_state_is_where_the_recipe_says_before_where_a_volume_is(tmp_path: Path) -> None:
    volumes = "['work:/work', 'state:/home/a/.state']"
    text = f"services: {{agent: {{build: ., volumes: {volumes}}}}}\n"
    write(tmp_path, Dockerfile="FROM a:1\n", **{"compose.yaml": text})
    assert signs.detect(tmp_path).get("config_dir") == "/home/a/.state"
    write(tmp_path, Dockerfile='FROM a:1\nENV CLAUDE_CONFIG_DIR="/c"\n')
    found = signs.detect(tmp_path)
    assert [each.value for each in found.facts if each.key == "config_dir"] == ["/c"]


def test_an_image_that_somebody_fills_in_is_told(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.yaml": "services: {agent: {image: 'acme/${WHICH}'}}\n"})
    found = signs.detect(tmp_path)
    assert found.get("image.reference") is None
    assert [each for each in found.remarks if "acme/${WHICH}" in each]


@pytest.mark.parametrize(
    ("files", "chosen", "context"),
    [
        ({"Dockerfile-agent": "FROM a:1\nCOPY x /\n", "x": ""}, "Dockerfile-agent", "."),
        ({"a/b/docker/Dockerfile": "FROM a:1\nCOPY src /\n", "a/b/src/x": ""},
         "a/b/docker/Dockerfile", "a/b"),
        ({"a/Dockerfile": "FROM a:1\nCOPY <<EOF /x\nx\nEOF\n"}, "a/Dockerfile", "a"),
        ({"a/Dockerfile": 'FROM a:1\nCOPY ["my file", "/x"]\n', "a/my file": ""}, "a/Dockerfile", "a"),
        ({"a/Dockerfile": "FROM a:1\nCOPY .hidden/*.sh /\n", ".hidden/x.sh": ""}, "a/Dockerfile", "."),
        ({"a/Dockerfile": "FROM a:1\nCOPY out/a.tgz ./run $X /\n", "a/run": ""}, "a/Dockerfile", "a"),
        ({"a/Dockerfile": "FROM a:1\nCOPY out/a.tgz b/run /\n", "b/run": ""}, "a/Dockerfile", "."),
        ({"a/Dockerfile": "FROM a:1\nCOPY out/a.tgz $X /\n"}, "a/Dockerfile", "."),
        ({"a/Dockerfile": "FROM a:1\nCOPY . $X /\n"}, "a/Dockerfile", "a"),
        ({"proxy/Dockerfile": "FROM a:1\n", "zone/Dockerfile": "FROM a:1\n"}, "zone/Dockerfile", "zone"),
        ({"tests/Dockerfile": "FROM a:1\n", "a/b/Dockerfile": "FROM a:1\n"}, "a/b/Dockerfile", "a/b"),
        ({"a/Dockerfile": "FROM nanoserver:1\n", "b/Dockerfile": "FROM a:1\n"}, "b/Dockerfile", "b"),
        ({"x/Dockerfile-dev": "FROM a:1\n", "x/y/Dockerfile": "FROM a:1\n"}, "x/y/Dockerfile", "x/y"),
        ({"web/Dockerfile": "FROM a:1\n", "a/b/Dockerfile": "FROM a:1\nENV CLAUDE_CODE_X=1\n"},
         "a/b/Dockerfile", "a/b"),
        ({"a/Dockerfile": "FROM a:1\n", "b/Dockerfile": "FROM a:1\nENV CLAUDE_CONFIG_DIR=/x\n"},
         "b/Dockerfile", "b"),
    ],
)  # fmt: skip
def test_the_recipe_is_the_agents_and_its_context_has_what_it_copies(
    tmp_path: Path, files: dict[str, str], chosen: str, context: str
) -> None:
    found = signs.detect(write(tmp_path, **files))
    assert (found.get("image.dockerfile"), found.get("image.context")) == (chosen, context)


@pytest.mark.parametrize(
    ("name", "image"), [("My Box (v2)", "my-box-v2"), (".dot_files", "dot-files"), ("ящик", "box")]
)
def test_an_image_has_a_name_that_engines_take(tmp_path: Path, name: str, image: str) -> None:
    assert signs.detect(write(tmp_path / name, Dockerfile="FROM a:1\n")).get("image.name") == image


@pytest.mark.parametrize(
    ("recipe", "uid", "home"),
    [
        ("FROM node:22\nUSER node", 1000, "/home/node"),
        ("FROM gcr.io/distroless/static:nonroot", None, None),
        ("FROM ghcr.io/acme/base:1", None, None),
        ("FROM ghcr.io/acme/base:1\nUSER root", 0, "/root"),
        ("FROM a:1\nUSER nobody", 65534, None),
        ("FROM a:1\nUSER agent", None, None),
        ("FROM a:1\nRUN useradd -m agent\nUSER agent", None, "/home/agent"),
    ],
)
def test_a_user_that_only_the_image_knows_is_left_to_it(
    tmp_path: Path, recipe: str, uid: int | None, home: str | None
) -> None:
    found = signs.detect(write(tmp_path, Dockerfile=f"{recipe}\n"))
    assert (found.get("uid"), found.get("home")) == (uid, home)
    assert bool([each for each in found.remarks if each.startswith("uid:")]) is (uid is None)
