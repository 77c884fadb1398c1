"""Services as Compose reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.manifests import compose_file

OTHER = "services: {base: {logging: {driver: local}, volumes: [a:/a], image: 'x:1'}, loop: {extends: loop}}\n"


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ("{extends: {service: first}, cap_add: [X]}", {"image": "y:1", "cap_add": ["X"]}),
        ("{extends: first, image: 'y:2'}", {"image": "y:2"}),
        ("{extends: {file: other.yaml, service: base}, volumes: [b:/b]}",
         {"image": "x:1", "logging": {"driver": "local"}, "volumes": ["a:/a", "b:/b"]}),
        ("{extends: {file: gone.yaml, service: base}, image: z}", {"image": "z"}),
        ("{extends: {file: other.yaml, service: loop}, image: z}", {"image": "z"}),
    ],
)  # fmt: skip
def test_a_service_has_what_it_extends(tmp_path: Path, service: str, wanted: dict[str, Any]) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    path = tmp_path / "compose.yaml"
    path.write_text(f"services: {{first: {{image: 'y:1'}}, one: {service}, none: }}\n")
    found = compose_file.services(path)
    assert {key: each for key, each in found["one"].items() if key != "extends"} == wanted
    assert found["none"] == {}


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ("{pids_limit: 7}", 7),
        ("{pids_limit: '${PIDS:-512}'}", 512),
        ("{pids_limit: '${PIDS}'}", None),
        ("{pids_limit: -1}", -1),
        ("{deploy: {resources: {limits: {pids: 9}}}}", 9),
        ("{pids_limit: !reset null}", None),
        ("{image: x}", "none"),
    ],
)
def test_the_bound_of_its_processes_is_in_one_place(tmp_path: Path, service: str, wanted: object) -> None:
    (tmp_path / "c.yaml").write_text(f"services: {{one: {service}}}\n")
    assert compose_file.services(tmp_path / "c.yaml")["one"].get("pids_limit", "none") == wanted


def test_what_has_no_services_has_none(tmp_path: Path) -> None:
    for text in ("services: [a]\n", "{{ x }}: [\n", "a: 2024-13-45\n", ""):
        (tmp_path / "c.yaml").write_text(text)
        assert compose_file.services(tmp_path / "c.yaml") == {}


def test_a_file_is_laid_over_another() -> None:
    logging = {"driver": "json-file", "options": {"max-size": "1m"}}
    first = {"one": {"image": "a", "tmpfs": ["/tmp"], "logging": logging}}

    same = compose_file.laid_over(
        first, {"one": {"tmpfs": ["/run"], "logging": {"options": {"max-file": "2"}}}, "two": {}}
    )
    other = compose_file.laid_over(first, {"one": {"tmpfs": None, "logging": {"driver": "local"}}})

    assert same["one"]["tmpfs"] == ["/tmp", "/run"]
    assert same["one"]["logging"] == {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}}
    assert same["two"] == {}
    assert other["one"] == {"image": "a", "tmpfs": None, "logging": {"driver": "local"}}
    assert first == {"one": {"image": "a", "tmpfs": ["/tmp"], "logging": logging}}


def test_a_variable_with_a_default_or_a_value_in_the_file_of_variables_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAG=1.2 # the newest\nexport NAME='a b'\nEMPTY=\nLAST=1\n")
    words = {
        "${TAG}": "1.2", "$NAME": "a b", "${NONE}": "${NONE}", "${NONE:-x}": "x", "${EMPTY:-x}": "x",
        "${EMPTY-x}": "", "${NONE:-${TAG:-y}}": "1.2", "${TAG:+-slim}": "-slim", "${NONE:+x}": "",
        "${NONE:?say it}": "${NONE:?say it}", "$$TAG": "$$TAG", "a:${NONE:-latest}": "a:latest",
    }  # fmt: skip
    lines = "".join(f"      - {word!r}\n" for word in words)
    (tmp_path / "c.yaml").write_text(f"services:\n  one:\n    volumes:\n{lines}")
    assert compose_file.services(tmp_path / "c.yaml")["one"]["volumes"] == list(words.values())


def test_services_of_files_that_are_included_are_there_as_seen_from_the_first(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "compose.yaml").write_text(
        "include: [parts/a.yaml, {path: [parts/b.yaml, gone.yaml]}, 7]\nservices: {own: {image: 'x:1'}}\n"
    )
    (tmp_path / "parts/a.yaml").write_text("include: [a.yaml]\nservices: {a: {build: ./src}}\n")
    build = "{context: https://example.com/x.git, additional_contexts: {lib: ../lib, o: 'service:own'}}"
    (tmp_path / "parts/b.yaml").write_text(f"services: {{b: {{build: {build}, pids_limit: 9}}}}\n")
    found = compose_file.services(tmp_path / "compose.yaml")
    assert list(found) == ["a", "b", "own"]
    assert found["a"]["build"] == {"context": "parts/src"}
    contexts = {"lib": "lib", "o": "service:own"}
    assert found["b"]["build"] == {"context": "https://example.com/x.git", "additional_contexts": contexts}
    assert found["b"]["pids_limit"] == 9


def test_what_is_extended_in_another_directory_is_built_there(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/c.yaml").write_text("services: {a: {build: {dockerfile: X}}}\n")
    (tmp_path / "c.yaml").write_text("services: {a: {extends: {file: base/c.yaml, service: a}}}\n")
    build = compose_file.services(tmp_path / "c.yaml")["a"]["build"]
    assert build == {"dockerfile": "X", "context": "base"}


def test_a_secret_of_the_file_of_variables_is_not_filled_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NPM_TOKEN=abc\nTAG=1\n")
    (tmp_path / "c.yaml").write_text("services: {a: {image: 'x:$TAG', build: {args: {T: '${NPM_TOKEN}'}}}}\n")
    found = compose_file.services(tmp_path / "c.yaml")["a"]
    assert found == {"image": "x:1", "build": {"args": {"T": "${NPM_TOKEN}"}}}


def test_a_command_is_said_anew_and_not_made_longer() -> None:
    first = {"a": {"command": ["run"], "healthcheck": {"test": ["CMD", "x"], "retries": 3}}}
    then = {"a": {"command": ["sleep", "1"], "healthcheck": {"test": ["NONE"]}}}
    wanted = {"command": ["sleep", "1"], "healthcheck": {"test": ["NONE"], "retries": 3}}
    assert compose_file.laid_over(first, then)["a"] == wanted
