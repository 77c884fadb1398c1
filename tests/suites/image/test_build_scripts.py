"""What the scripts say that a recipe carries out: of its context, or written by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import parse
from boxproof.subject.manifests import shipped
from boxproof.subject.model import ImagePart, Subject
from boxproof.subject.supply_chain import package_lock
from suites.image import build_scripts

GET = "curl -fsSLo /x https://example.invalid/x"
CHECK = f"echo '{'a' * 64}  /x' | sha256sum -c -"
PYTHON = "import urllib.request\nurllib.request.urlretrieve('https://example.invalid/x', '/x')\n"


@pytest.mark.parametrize(
    ("lines", "scripts", "loose"),
    [
        ("RUN sh /i", {"/src/i": GET}, 1),
        ("RUN /tmp/i.sh --all && rm /tmp/i.sh", {"/src/i.sh": f"#!/bin/bash\n{GET}"}, 1),
        ("RUN bash -x /i", {"/i": "npm install -g x"}, 1),
        ("RUN bash /i", {"/i": "#!/bin/bash\n. /j", "/j": GET}, 1),
        (f"COPY <<EOF /i.sh\n{GET}\nEOF\nRUN sh /i.sh", {}, 1),
        (f"COPY <<EOF /bin/\n{GET}\nEOF\nRUN sh /bin/EOF", {}, 1),
        (f"RUN cat > /i.sh <<EOF\n{GET}\nEOF\nRUN sh /i.sh", {}, 1),
        (f"RUN tee /i.sh <<EOF\n{GET}\nEOF\nRUN sh /i.sh", {}, 1),
        ("RUN python3 -I /i.py", {"/i.py": PYTHON}, 1),
        ("RUN /i.py", {"/i.py": f"#!/usr/bin/env python3\n{PYTHON}"}, 1),
        ("RUN bash /i", {"/i": f"set -eu\n{GET}\n{CHECK}\nmv /x /y"}, 0),
        ("RUN sh -e /i", {"/i": f"{GET}\n{CHECK}\nmv /x /y"}, 0),
        ("RUN /i", {"/i": f"#!/bin/sh -eu\n{GET}\n{CHECK}\nmv /x /y"}, 0),
        ("RUN sh /i", {"/i": f"{GET}\n{CHECK}\nmv /x /y"}, 1),
        ("RUN echo /i", {"/i": GET}, 0),
        ("RUN sh /i", {"/i": f"# {GET}\nuseradd agent"}, 0),
        ("RUN python3 /i.py", {"/i.py": "HOME = 'https://example.invalid'\nprint(HOME)"}, 0),
        ("RUN python3 /i.py", {"/i.py": f"import hashlib\n{PYTHON}"}, 0),
        ("RUN python3 -m i", {"/i": GET}, 0),
        ("COPY i.sh /", {"/i.sh": GET}, 0),
        ("RUN sh /a/i", {"/b/i": GET, "/a/i": "true"}, 0),
        ("RUN sh /i", {"/i": "sh /i"}, 0),
    ],
)
def test_what_a_script_fetches_is_the_recipes(lines: str, scripts: dict[str, str], loose: int) -> None:
    text = f"FROM a:1\n{lines}\n"
    made = build_scripts.spelled_out(parse(text), scripts | build_scripts.found(text, []))
    assert len(package_lock.unguarded(made)) == loose


def test_the_files_of_a_context_are_scripts_by_their_paths_there(tmp_path: Path) -> None:
    for name in ("src/get", "node_modules/a/get", "large"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("true")
    (tmp_path / "large").write_bytes(bytes(shipped.LARGEST + 1))
    assert build_scripts.found("FROM a:1\n", [tmp_path, tmp_path / "none"]) == {"/src/get": "true"}


def test_steps_keep_their_order_and_what_they_are_told() -> None:
    recipe = parse("FROM a:1\nRUN --mount=type=cache,target=/root/.cache/pip sh /i\nUSER 7\n")
    made = build_scripts.spelled_out(recipe, {"/i": "pip install \\\n  a==1"})
    assert [each.word for each in made.final.steps] == ["RUN", "RUN", "USER"]
    assert made.final.steps[1].commands == (("pip", "install", "a==1"),)
    assert made.final.steps[1].mounts == made.final.steps[0].mounts


@pytest.mark.parametrize(
    ("reference", "bases"),
    [
        ("acme-base:1", ["debian:12"]),
        ("localhost/acme-base", ["debian:12"]),
        ("acme/base:1", ["acme/base:1"]),
    ],
)
def test_a_base_that_is_made_here_is_of_the_recipe(tmp_path: Path, reference: str, bases: list[str]) -> None:
    files = {
        "Dockerfile": f"FROM {reference}\nUSER 7\n",
        "base/Dockerfile": "FROM debian:12\nCOPY more.sh /\nRUN sh /more.sh\n",
        "base/more.sh": "#!/bin/sh\napt-get install -y jq\n",
        "build.sh": f"docker build -t {reference} base\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subject = Subject(directory=tmp_path, name="box", image=ImagePart(context=".", dockerfile="Dockerfile"))
    found = build_scripts.on_own_bases(subject, dockerfile.of(subject))
    assert list(found.bases.values()) == bases
    installs = [each.packages for stage in found.line for step in stage.steps for each in step.installs]
    assert installs == ([("jq",)] if bases == ["debian:12"] else [])
