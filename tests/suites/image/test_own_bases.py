"""A recipe whose bases, or what it takes files of, another Dockerfile of the same directory makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from boxproof.subject.image import dockerfile
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.model import ImagePart, Subject
from suites.image import build_scripts, every_build
from tests.subject.test_detection import write

DIGEST = f"debian:12@sha256:{'a' * 64}"
BAKE = f"""target "agent" {{
  contexts = {{ base = "target:root" }}
}}
target "root" {{
  context = "base"
  target = "last"
  args = {{ FROM = "{DIGEST}" }}
}}
"""
MADE = 'ARG FROM=scratch\nFROM ${FROM} AS last\nUSER 7\nENTRYPOINT ["/start"]\nFROM last AS more\nUSER 0\n'
COMPOSED = f"""services:
  base: {{image: acme-base, build: {{context: base, target: last, args: {{FROM: "{DIGEST}"}}}}}}
  agent: {{build: {{context: ., additional_contexts: {{base: "service:base"}}}}}}
"""
SCRIPT = f"docker build -t acme-base --target last --build-arg FROM={DIGEST} base\n"


@pytest.mark.parametrize(
    ("name", "text", "base"),
    [
        ("docker-bake.hcl", BAKE, "base"),
        ("compose.yaml", COMPOSED, "base"),
        ("compose.yaml", COMPOSED, "acme-base:1"),
        (
            "build.sh",
            f"docker build -t acme-base --target last --build-arg FROM={DIGEST} base\n",
            "acme-base",
        ),
    ],
)
def test_a_base_is_read_as_its_own_build_is_told(tmp_path: Path, name: str, text: str, base: str) -> None:
    write(tmp_path, **{"Dockerfile": f"FROM {base}\nRUN true\n", "base/Dockerfile": MADE, name: text})
    found = signs.detect(tmp_path)
    contexts = {str(key): str(each) for key, each in mapping(found.get("image.contexts")).items()}
    about = ImagePart(context=".", dockerfile="Dockerfile", contexts=contexts)
    subject = Subject(directory=tmp_path, name="box", image=about)
    made = build_scripts.on_own_bases(subject, dockerfile.of(subject), spelled=False)
    assert (list(made.bases.values()), made.undigested()) == ([DIGEST], {})
    said = {step.word: step.rest for stage in made.line for step in stage.steps}
    assert (said["USER"], said["ENTRYPOINT"]) == ("7", '["/start"]')
    assert found.get("uid") == 7


def test_an_image_made_here_that_files_are_taken_of_is_of_the_recipe(tmp_path: Path) -> None:
    files = {
        "Dockerfile": f"FROM acme-tools AS t\nFROM {DIGEST}\n"
        "COPY --from=acme-more:1 /a /a\nCOPY --from=t /b /\n",
        "tools/Dockerfile": "FROM golang:1.24\n",
        "more/Dockerfile": f"FROM acme-tools AS x\nFROM {DIGEST}\nCOPY --from=x /a /a\n",
        "build.sh": "docker build -t acme-tools tools\ndocker build -t acme-more:1 more\n",
    }
    write(tmp_path, **files)
    subject = Subject(directory=tmp_path, name="box", image=ImagePart(context=".", dockerfile="Dockerfile"))
    found = build_scripts.on_own_bases(subject, dockerfile.of(subject), spelled=False)
    assert set(found.bases.values()) == {DIGEST, "golang:1.24"}
    assert set(found.undigested().values()) == {"golang:1.24"}
    assert found.line[-1].steps[-1].rest == "/b /"


def test_other_builds_of_it_stand_on_their_bases_too(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM acme-base\n", "base/Dockerfile": f"FROM {DIGEST}\n"}
    text = "docker build -t acme-base base\ndocker build -t agent .\n"
    write(tmp_path, **files, **{"build.sh": text})
    subject = Subject(directory=tmp_path, name="box", image=ImagePart(context=".", dockerfile="Dockerfile"))
    every = every_build.of(subject)
    assert every
    assert [each.undigested() for each in every.values()] == [{}] * len(every)
