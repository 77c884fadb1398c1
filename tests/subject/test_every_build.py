"""A recipe as each file of a box has it built: by Compose, Bake, and for development."""

from __future__ import annotations

from pathlib import Path

from boxproof.subject.detection import every_build
from boxproof.subject.model import ComposePart, ImagePart, Subject

RECIPE = "ARG BASE=a:1\nARG UID=7\nFROM ${BASE} AS one\nRUN true\nFROM one AS two\nARG UID\nUSER ${UID}\n"


def box(directory: Path, **files: str) -> Subject:
    """Return a box whose Dockerfile is in its directory "image", with files by their names."""
    for name, text in {"image/Dockerfile": RECIPE, **files}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return Subject(directory=directory, name="box", image=ImagePart(), compose=ComposePart(service="b"))


def bases(subject: Subject) -> dict[str, str]:
    """Return what each build begins with, by where it stands."""
    return {where: recipe.line[0].base for where, recipe in every_build.of(subject).items()}


def test_arguments_of_compose_are_filled_in(tmp_path: Path) -> None:
    listed = "services: {a: {build: {context: image, args: [BASE=b:2, UID=0]}}, b: {build: ./image}}\n"
    other = "services: {c: {build: {context: ., dockerfile: image/Dockerfile, args: {BASE: '${BASE:-c}'}}}}\n"
    subject = box(tmp_path, **{"compose.yaml": listed, ".devcontainer/compose.yaml": other})
    assert bases(subject) == {"compose.yaml: a": "b:2", "compose.yaml: b": "a:1"}
    one = every_build.of(subject)["compose.yaml: a"]
    assert [each.rest for each in one.final.steps if each.word == "USER"] == ["0"]


def test_what_the_user_fills_in_stays_the_recipes_own(tmp_path: Path) -> None:
    text = "services: {a: {build: {context: image, args: {BASE: '${BASE:?say which}', UID: }}}}\n"
    assert bases(box(tmp_path, **{"compose.yaml": text})) == {"compose.yaml: a": "a:1"}


def test_another_recipe_is_another_image_but_one_in_the_file_is_the_service_s(tmp_path: Path) -> None:
    inline = "b: {build: {dockerfile_inline: 'FROM d:4'}}, c: {build: {dockerfile_inline: 'FROM h:8'}}"
    text = f"services: {{a: {{build: other}}, {inline}}}\n"
    subject = box(tmp_path, **{"compose.yaml": text, "other/Dockerfile": "FROM e:5\n"})
    assert bases(subject) == {"compose.yaml: b": "d:4"}


def test_a_target_ends_a_recipe_there(tmp_path: Path) -> None:
    text = (
        "services: {a: {build: {context: image, target: one}}, b: {build: {context: image, target: none}}}\n"
    )
    found = every_build.of(box(tmp_path, **{"compose.yaml": text}))
    assert {where: each.final.name for where, each in found.items()} == {"compose.yaml: a": "one"}


def test_development_containers_and_bake_build_too(tmp_path: Path) -> None:
    dev = '{"build": {"dockerfile": "../image/Dockerfile", "args": {"BASE": "f:latest"}}} // it\n'
    hcl = 'target "x" { context = "image"\n args = { BASE = "g:1" } }\n'
    subject = box(tmp_path, **{".devcontainer/devcontainer.json": dev, "docker-bake.hcl": hcl})
    assert bases(subject) == {".devcontainer/devcontainer.json": "f:latest", "docker-bake.hcl: x": "g:1"}
