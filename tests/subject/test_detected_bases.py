"""What a recipe shows whose base is made by another one of the same directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import own_bases, signs
from boxproof.subject.detection.directory import Directory
from tests.subject.test_detection import write

BASE = "FROM debian:12\nRUN useradd --uid 501 --create-home dev\nWORKDIR /work\nUSER dev\n"
AGENT = "ARG BASE=acme-base:local\nFROM ${BASE}\nUSER root\nRUN true\nUSER dev\nENV CLAUDE_CONFIG_DIR=/x\n"
FILES = {"images/base/Dockerfile": BASE, "images/agents/claude/Dockerfile": AGENT}
COMPOSE = """services:
  acme-base: {image: "acme-base:${TAG}", build: {context: images, dockerfile: base/Dockerfile}}
  agent: {build: images/agents/claude}
"""
MADE = "base: images/base/Dockerfile makes acme-base:local"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("images/build.sh", '#!/bin/sh\ndocker build \\\n  -t acme-base:$TAG \\\n  "$HERE/base"\n'),
        ("bin/make-images", "#!/usr/bin/env bash\ndocker build -t acme-base:1 images/base\n"),
        ("images/base/build.sh", 'docker build --tag acme-base:1 "$HERE"\n'),
        ("build.sh", "docker buildx build --tag=acme-base:1 -f images/base/Dockerfile .\n"),
        ("Makefile", "base:\n\t$(ENGINE) x; podman build -t acme-base images/base && echo done\n"),
        ("compose.yaml", COMPOSE),
    ],
)
def test_a_base_that_is_made_here_says_who_the_user_is(tmp_path: Path, name: str, text: str) -> None:
    found = signs.detect(write(tmp_path, **{**FILES, name: text}))
    wanted = {
        "image.dockerfile": "images/agents/claude/Dockerfile",
        "uid": 501, "home": "/home/dev", "workdir": "/work",
    }  # fmt: skip
    assert {each: found.get(each) for each in wanted} == wanted
    assert [each for each in found.remarks if each.startswith(MADE)]


@pytest.mark.parametrize(
    "text",
    [
        "# docker build -t acme-base:$TAG images/base\n",
        "docker build -t acme-other:1 images/base\n",
        "docker build -t acme-base:1 images/elsewhere\n",
        "docker build -t 'acme-base:1 images/base\n",
    ],
)
def test_what_no_script_makes_is_another_s(tmp_path: Path, text: str) -> None:
    found = signs.detect(write(tmp_path, **{**FILES, "build.sh": text}))
    assert found.get("uid") is None
    assert not [each for each in found.remarks if each.startswith("base:")]


def test_a_recipe_that_is_its_own_base_ends(tmp_path: Path) -> None:
    text = "FROM acme:1\nUSER 7\n"
    root = write(tmp_path, Dockerfile=text, **{"build.sh": "docker build -t acme:1 .\n"})
    assert signs.detect(root).get("uid") == 7


def test_a_recipe_stands_on_the_stages_of_its_base(tmp_path: Path) -> None:
    base = (
        "FROM golang:1.24 AS built\nRUN go install a@v1\nFROM debian:12\nRUN apt-get install -y jq\n"
        "COPY --from=built /a /a\nCOPY --from=0 /b /b\nUSER dev\n"
    )
    files = {**FILES, "images/base/Dockerfile": base, "build.sh": "docker build -t acme-base:1 images/base\n"}
    here = Directory(write(tmp_path, **files))
    path = Path("images/agents/claude/Dockerfile")
    recipe = here.recipe(path)
    assert recipe is not None
    for each in own_bases.below(here, path, recipe):
        recipe = own_bases.laid_under(recipe, each)
    assert sorted(recipe.bases.values()) == ["debian:12", "golang:1.24"]
    words = [step.word for stage in recipe.line for step in stage.steps]
    assert words == ["RUN", "COPY", "COPY", "USER", "USER", "RUN", "USER", "ENV"]
    assert recipe.final.steps[-1].rest == "CLAUDE_CONFIG_DIR=/x"


def test_bases_upon_bases_are_all_of_the_recipe(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM acme-tools:1\nUSER 7\n",
        "tools/Dockerfile": "FROM acme-system:1\nRUN apt-get install -y git\n",
        "system/Dockerfile": "FROM debian:12\nRUN apt-get update\n",
        "Makefile": "all:\n\tdocker build -t acme-system:1 system\n\tdocker build -t acme-tools:1 tools\n",
    }
    here = Directory(write(tmp_path, **files))
    recipe = here.recipe(Path("Dockerfile"))
    assert recipe is not None
    for each in own_bases.below(here, Path("Dockerfile"), recipe):
        recipe = own_bases.laid_under(recipe, each)
    assert list(recipe.bases.values()) == ["debian:12"]
    assert len(recipe.line) == 3


BAKE = """variable "REGISTRY" { default = "ghcr.io" }
target "agent" {
  dockerfile = "Dockerfile"
}
target "base" {
  context = "images/base"
  tags = ["${REGISTRY}/acme/base:1"]
}
"""
ACTION = "      - uses: docker/build-push-action@v6\n        with: {%s}\n"
WORKFLOW = "on: push\njobs:\n  build:\n    steps:\n"
META = "      - {id: meta, uses: docker/metadata-action@v5, with: {images: ghcr.io/acme/base}}\n"
TAGGED = "context: images/base, tags: 'ghcr.io/${{ github.repository_owner }}/base:${{ github.sha }}'"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("build.sh", "docker build -t ghcr.io/acme/base:$TAG images/base\n"),
        ("build.sh", 'docker build -t "${REGISTRY:-ghcr.io}/acme/base:1" -f images/base/Dockerfile .\n'),
        ("Makefile", "base:\n\tdocker build -t $(REGISTRY)/base:1 images/base\n"),
        ("compose.yaml", "services: {base: {image: $X/base, build: images/base}, a: {build: .}}\n"),
        ("docker-bake.hcl", BAKE),
        (".github/workflows/image.yml", WORKFLOW + ACTION % TAGGED),
        (
            ".github/workflows/image.yml",
            WORKFLOW + META + ACTION % "file: images/base/Dockerfile, tags: '${{ steps.meta.outputs.tags }}'",
        ),
        (
            ".github/workflows/image.yml",
            f"{WORKFLOW}      - run: docker build -t ghcr.io/acme/base:${{{{ github.sha }}}} images/base\n",
        ),
    ],
)
def test_a_base_of_a_registry_that_is_made_here_says_so_too(tmp_path: Path, name: str, text: str) -> None:
    agent = AGENT.replace("acme-base:local", "ghcr.io/acme/base:1.2")
    files = {"images/base/Dockerfile": BASE, "Dockerfile": agent, name: text}
    found = signs.detect(write(tmp_path, **files))
    assert {each: found.get(each) for each in ("uid", "home")} == {"uid": 501, "home": "/home/dev"}
    assert [each for each in found.remarks if "images/base/Dockerfile makes ghcr.io/acme/base:1.2" in each]


@pytest.mark.parametrize(
    ("base", "tag"),
    [
        ("ghcr.io/acme/base:1", "ghcr.io/acme/$NAME:1"),
        ("ghcr.io/acme/base:1", "ghcr.io/${{ github.repository }}:1"),
        ("ghcr.io/acme/base:1", "$REGISTRY/acme/other-base:1"),
        ("ghcr.io/acme/base:1", "docker.io/$OWNER/base:1"),
        ("debian:12", "$REGISTRY/debian:12"),
    ],
)
def test_an_image_of_another_name_is_no_base_of_it(tmp_path: Path, base: str, tag: str) -> None:
    files = {"images/base/Dockerfile": BASE, "Dockerfile": f"FROM {base}\nRUN true\n"}
    found = signs.detect(write(tmp_path, **files, **{"build.sh": f"docker build -t '{tag}' images/base\n"}))
    assert not [each for each in found.remarks if each.startswith("base:")]


def test_a_script_that_the_base_starts_is_the_boxs_where_its_own_recipe_copies_it(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM acme-base\nCOPY bin/start.sh /usr/local/bin/start\n",
        "bin/start.sh": "#!/bin/sh\n",
        "base/Dockerfile": 'FROM debian:12\nENTRYPOINT ["/usr/local/bin/start"]\n',
        "build.sh": "docker build -t acme-base base\n",
    }
    assert signs.detect(write(tmp_path, **files)).get("image.entrypoints") == ["bin/start.sh"]
