"""A recipe as each file of a box has it built: by Compose, Bake, and for development."""

from __future__ import annotations

from pathlib import Path

from boxproof.subject.model import ComposePart, ImagePart, Subject
from suites.image import every_build

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


def test_a_script_and_a_makefile_build_with_arguments_of_theirs(tmp_path: Path) -> None:
    script = (
        '#!/bin/sh\nNEXT=h:1\ncd "$(dirname "$0")/.."\n'
        "docker build --pull --build-arg BASE=b:latest -t box image\n"
        "docker buildx --builder ci build \\\n"
        '  --build-arg=BASE="$NEXT" --file image/Dockerfile "$ROOT/image"\n'
        "podman build image --build-arg BASE=${BASE:-i:1} && docker push box\n"
        "docker build --build-arg BASE=$OTHER image\ndocker build --build-arg BASE=k:1 --target one image\n"
        "docker build --build-arg BASE=l:1 https://example.org/image.git\ndocker build other\n"
    )
    make = "BASE := j:1\nimage:\n\tdocker build --build-arg BASE=$(BASE) -f image/Dockerfile image\n"
    above = "docker build --build-arg BASE=m:1 ../image\n"
    files = {"build.sh": script, "ci/Makefile": make, "ci/up.sh": above}
    assert bases(box(tmp_path, **files)) == {
        "build.sh: build 1": "b:latest", "build.sh: build 2": "h:1", "build.sh: build 3": "i:1",
        "build.sh: build 4": "a:1", "ci/Makefile: build 1": "j:1", "ci/up.sh: build 1": "m:1",
    }  # fmt: skip


def test_so_do_the_actions_and_the_steps_of_a_pipeline(tmp_path: Path) -> None:
    text = (
        "jobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n"
        "          context: image\n          file: image/Dockerfile\n"
        "          build-args: |\n            BASE=b:latest\n            UID=${{ inputs.uid }}\n"
        "      - run: docker build --build-arg UID=0 image\n"
    )
    found = every_build.of(box(tmp_path, **{".github/workflows/a.yml": text}))
    assert {where: each.line[0].base for where, each in found.items()} == {
        ".github/workflows/a.yml: build 1": "a:1", ".github/workflows/a.yml: action 1": "b:latest",
    }  # fmt: skip
    steps = found[".github/workflows/a.yml: build 1"].final.steps
    assert [each.rest for each in steps if each.word == "USER"] == ["0"]


def test_a_command_gives_a_file_s_build_other_arguments(tmp_path: Path) -> None:
    compose = "services: {b: {build: {context: image, args: {BASE: 'b:2', UID: 0}}}}\n"
    script = "docker compose -f compose.yaml build --pull --build-arg BASE=i:9 b\n"
    hcl = 'target "x" { context = "image" }\n'
    make = "image:\n\tdocker buildx bake --set '*.args.BASE=j:9' x\n"
    subject = box(
        tmp_path, **{"compose.yaml": compose, "build.sh": script, "docker-bake.hcl": hcl, "Makefile": make}
    )
    found = bases(subject)
    assert {found["compose.yaml: b"], found["docker-bake.hcl: x"]} == {"b:2", "a:1"}
    assert "i:9" in found.values()
    assert "j:9" in found.values()


def test_arguments_are_given_by_files_scripts_and_pipelines(tmp_path: Path) -> None:
    steps = (
        "      - with:\n          build-args: |\n            A=${{ secrets.A }}\n"
        '      - run: docker build --build-arg "B=${{ secrets.B }}" .\n'
    )
    files = {
        ".github/workflows/a.yml": f"jobs:\n  a:\n    steps:\n{steps}",
        "compose.yaml": "services: {a: {build: {context: ., args: [C=c, D]}}}\n",
        "Makefile": "a:\n\tdocker build --build-arg E \\\n\t  --build-arg F=$(F) .\n",
        "build.sh": "docker buildx bake --set '*.args.G=g'\n",
    }
    found = [each for _, each in every_build.arguments(box(tmp_path, **files))]
    assert sorted(found) == ["A=${{ secrets.A }}", "B=${{ secrets.B }}", "C=c", "D", "E", "F=$(F)", "G=g"]
