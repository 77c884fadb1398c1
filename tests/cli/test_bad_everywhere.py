"""Every option, setting, task, session and key there is, given what it cannot take: one line, code 2."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.main import program
from pydantic import BaseModel

from boxproof import bootstrap, nox_words
from boxproof.cli.main import main
from boxproof.cli.options import COMMANDS, parser
from boxproof.cluster import cells
from boxproof.core.settings import PREFIX, ROOT, UNSET, Settings
from boxproof.subject.image import tools
from boxproof.tasks import task_errors
from pytest_claims import claims
from pytest_claims.faults import SubjectFault, UsageError
from pytest_claims.selection import read_toml
from tests.fuzz import __main__ as fuzzer
from tests.support.bad_input import told

pytestmark = pytest.mark.usefixtures("places")
OPTION = re.compile(r"^  (--[a-z-]+)( [A-Z].*)?", re.MULTILINE)
NO_VALUE = ("reports", "cache", "state")  # a setting each test here has of its own
WRONG = ("1979-05-27", "[[nan]]", "{a = 1}")
VALUES = {"--subject": "/", "--merge": "/nonexistent", "--only": "x", "--claims": "no-such"}


def options() -> Iterator[tuple[str, str, bool]]:
    """Yield each command with each of its options, and whether that takes a value."""
    for command, about in COMMANDS.items():
        for name, value in OPTION.findall(parser(command, about).format_help()):
            yield command, name, bool(value)


TAKING = [(command, name) for command, name, value in options() if value]
FLAGS = [(command, name) for command, name, value in options() if not value and name != "--help"]


def before(command: str, name: str) -> list[str]:
    """Return the words that a command needs beside the option that is tried."""
    if command == "init":
        return [command, "/nonexistent"]
    return [command, "--registry", "h"] if command == "release" and name != "--registry" else [command]


@pytest.mark.parametrize(("command", "name"), TAKING)
def test_an_option_without_its_value_is_told(
    capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    code, line = told(capsys, [*before(command, name), name])
    assert (code, name in line) == (2, True), line


@pytest.mark.parametrize("value", ["", "  ", "\0"])
@pytest.mark.parametrize(("command", "name"), TAKING)
def test_an_option_whose_value_is_nothing_is_told(
    capsys: pytest.CaptureFixture[str], command: str, name: str, value: str
) -> None:
    code, line = told(capsys, [*before(command, name), f"{name}={value}"])
    assert (code, name in line) == (2, True), line


@pytest.mark.parametrize(("command", "name"), FLAGS)
def test_a_flag_with_a_value_is_told(capsys: pytest.CaptureFixture[str], command: str, name: str) -> None:
    code, line = told(capsys, [*before(command, name), f"{name}=x"])
    assert (code, name in line) == (2, True), line


@pytest.mark.parametrize("value", ["", "   ", "\x01", "\n"])
@pytest.mark.parametrize("name", [each.name for each in fields(Settings) if each.name not in NO_VALUE])
def test_a_setting_that_is_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    variable = PREFIX + name.upper()
    if name in UNSET and not value.strip():  # there it means not to have it
        variable, value = f"{variable}_", "x"
    monkeypatch.setenv(variable, value)
    code, line = told(capsys, ["e2e", "--claims", "no-such"])
    assert (code, variable in line or "no-such" in line) == (2, True), line


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_a_misspelt_setting_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}X", "1")
    code, line = told(capsys, ["e2e"])
    assert (code, f"{PREFIX}{name.upper()}X" in line) == (2, True), line


def task_words() -> Iterator[list[str]]:
    """Yield each task with an option it has not, and with each of its options that lacks its value."""
    for context in Collection.from_module(importlib.import_module("tasks")).to_contexts():
        name = str(context.name)
        needed = {f"--{each.name}": "x" for each in context.missing_positional_args}
        yield [name, *(word for pair in needed.items() for word in pair), "--no-such-option"]
        for argument in context.args.values():
            option = f"--{str(argument.name).replace('_', '-')}"
            others = [word for pair in needed.items() if pair[0] != option for word in pair]
            if argument.takes_value:
                for empty in ([option], [option, ""], [f"{option}= "]):
                    yield [name, *others, *empty]


@pytest.mark.parametrize("words", list(task_words()), ids=" ".join)
def test_a_task_tells_what_it_cannot_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(task_errors, "interrupt_once", lambda: None)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["inv", *words])
    with pytest.raises(SystemExit) as ended:
        program.run(["inv", *words])
    (line,) = capsys.readouterr().err.splitlines()
    assert (ended.value.code, line.startswith("boxproof: ")) == (2, True), line
    assert next(each for each in reversed(words) if each).rstrip("= ") in line, line


SESSIONS = nox_words.SESSION.findall((ROOT / "noxfile.py").read_text())


@pytest.mark.parametrize(
    "words", [[each, "--claims", "x"] for each in SESSIONS] + [[f"{each}x"] for each in SESSIONS]
)
def test_nox_tells_a_session_or_an_option_it_has_not(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert bootstrap.main(["-s", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("boxproof: ") and (words[-1] in line or words[1] in line)


@pytest.mark.parametrize(
    "words",
    [
        ["-s", "lint", "--", "--fix"], ["-s", "docs", "--", "--strict"], ["-s", "lint", "docs", "--", "x"],
        ["--session=lint", "--", "--help"], ["-k", "docs", "--", "x"], ["-e", "lint", "--", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_words_that_no_chosen_session_takes_are_told(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert bootstrap.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("boxproof: ") and "takes no words after --" in line and "leave them out" in line


@pytest.mark.parametrize("words", ["-s lint tests -- -x", "-s tests -- -x", "-- -x", "-s lint --", "-s lint"])
def test_words_that_one_of_the_chosen_sessions_takes_are_let_through(words: str) -> None:
    nox_words.check_words(words.split())


def test_the_variable_that_chooses_sessions_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOXSESSION", "lint")
    with pytest.raises(UsageError, match="the session lint takes no words after --: 'x'"):
        nox_words.check_words(["--", "x"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--examples", "x"], "--examples='x' (allowed: a whole number from 1 to "),
        (["--examples", "0"], "--examples='0'"),
        (["--examples", "٣"], "--examples='٣'"),
        (["--examples", "1_0"], "--examples='1_0'"),
        (["--examples", ""], "--examples=''"),
        (["--minutes", "nan"], "--minutes='nan' (allowed: a whole number from 1 to 6000)"),
        (["--minutes", "inf"], "--minutes='inf'"),
        (["--minutes", "-1"], "--minutes='-1'"),
        (["--seed", "1.5"], "--seed='1.5'"),
        (["--seed", "x"], "--seed='x'"),
        (["--target", "hin"], "--target='hin' (did you mean 'hint'?)"),
        (["--targets", "x"], "unknown argument '--targets' (did you mean '--target'?)"),
        (["--examples", "5", "--examples", "6"], "--examples is given twice: 5 and 6"),
        (["x"], "unknown argument 'x'"),
        ([""], "an argument is ''"),
    ],
)
def test_what_the_fuzzer_cannot_take_is_told(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert fuzzer.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("boxproof: ") and says in line, line


@pytest.mark.parametrize("command", [*COMMANDS, "fuzz"])
def test_help_names_defaults_in_one_way(capsys: pytest.CaptureFixture[str], command: str) -> None:
    if command == "fuzz":
        assert fuzzer.main(["--help"]) == 0
    else:
        assert main([command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert not re.search(r"\((?!default: )[\d.]+\)", said), said
    if command == "matrix":
        assert "(default: boxproof, so boxproof-matrix)" in said
    elif "--cluster NAME" in said:
        assert "(default: boxproof)" in said


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a table."""
    return list(model.model_fields)


CLAIM = {"id": "'a'", "says": "'it holds.'"}


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("key", [each for each in keys(claims.Claim) if each not in ("area", "host")])
def test_a_key_of_a_claim_with_a_wrong_value_is_told(tmp_path: Path, key: str, value: str) -> None:
    rows = "".join(f"{name} = {each}\n" for name, each in (CLAIM | {key: value}).items())
    (tmp_path / "one.toml").write_text(f"area = 'A'\ntitle = 'a'\n[[claim]]\n{rows}")
    with pytest.raises(UsageError, match=r"one\.toml") as fault:
        claims.load(tmp_path)
    assert key in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("key", keys(claims.Area))
def test_a_key_of_an_area_with_a_wrong_value_is_told(tmp_path: Path, key: str, value: str) -> None:
    head = {"area": "'A'", "title": "'a'", "claim": "[{id = 'a', says = 'x'}]"} | {key: value}
    (tmp_path / "one.toml").write_text("".join(f"{name} = {each}\n" for name, each in head.items()))
    with pytest.raises(UsageError, match=r"one\.toml") as fault:
        claims.load(tmp_path)
    assert "\n" not in str(fault.value)


def cell_keys() -> Iterator[tuple[str, str]]:
    """Yield each table of cells.toml with each of its keys."""
    tables: dict[str, type[BaseModel]] = {
        "kind": cells.Kind, "containerd": cells.Containerd, "kubernetes": cells.Kubernetes,
        "published": cells.Published, "cell": cells.Combination, "shown": cells.Pair,
        "impossible": cells.Impossible, "difference": cells.Difference,
    }  # fmt: skip
    yield from ((table, key) for table, model in tables.items() for key in keys(model))
    yield from ((table, "no_such") for table in tables)


@pytest.mark.parametrize("value", ["1979-05-27", "[[nan]]"])
@pytest.mark.parametrize(("table", "key"), list(cell_keys()))
def test_a_key_of_the_cells_with_a_wrong_value_is_told(
    tmp_path: Path, table: str, key: str, value: str
) -> None:
    path = tmp_path / "cells.toml"
    shutil.copyfile(ROOT / "cluster/cells.toml", path)
    path.write_text(f"{path.read_text()}\n[[{table}]]\n{key} = {value}\n")
    with pytest.raises(UsageError, match=r"cells\.toml") as fault:
        cells.catalogue(path)
    assert (key in str(fault.value) or table in str(fault.value)) and "\n" not in str(fault.value)


def tool_keys() -> Iterator[str]:
    """Yield each key of tools.toml, those of its tables as "table.key"."""
    yield from keys(tools.Tool)
    models: dict[str, type[BaseModel]] = {
        "release": tools.Release, "carried": tools.Wheel, "obtain": tools.Obtain,
    }  # fmt: skip
    for table, model in models.items():
        yield from (f"{table}.{each}" for each in [*keys(model), "no_such"])


@pytest.mark.parametrize("value", ["1979-05-27", "[[nan]]"])
@pytest.mark.parametrize("key", list(tool_keys()))
def test_a_key_of_a_tool_with_a_wrong_value_is_told(tmp_path: Path, key: str, value: str) -> None:
    rows = {"name": "'a'", "works": "'a'", "obtain.way": "'go'", "obtain.package": "'x'"}
    if key in ("obtain",):
        rows = {"name": "'a'", "works": "'a'"}
    path = tmp_path / "tools.toml"
    path.write_text(
        "[[tool]]\n" + "".join(f"{name} = {each}\n" for name, each in (rows | {key: value}).items())
    )
    with pytest.raises(SubjectFault, match=r"tools\.toml") as fault:
        tools.load(path)
    assert key.split(".", maxsplit=1)[0] in str(fault.value) and "\n" not in str(fault.value)


def test_the_lists_as_they_are_can_be_read() -> None:
    assert cells.catalogue(ROOT / "cluster/cells.toml").kind
    assert tools.load(ROOT / "image/tools.toml")
    assert read_toml(ROOT / "cluster/cells.toml")
