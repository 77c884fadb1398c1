"""An exec's answer counts when all of it came."""

from __future__ import annotations

import subprocess

import pytest

from boxproof.host.engine.docker_cli import said
from pytest_claims.faults import EnvironmentFault


class Container:
    """Runs commands here as an engine runs them in a container; loses the output of the first ``losing``."""

    name = "node"

    def __init__(self, losing: int = 0, keeping: int = 0) -> None:
        self.losing, self.keeping, self.calls = losing, keeping, 0

    def exec_run(self, argv: list[str]) -> tuple[int, bytes]:
        """Return exit code and output, as the docker SDK does."""
        self.calls += 1
        ended = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        lost = self.calls <= self.losing
        return ended.returncode, ended.stdout[: self.keeping] if lost else ended.stdout


@pytest.mark.parametrize("text", ["", "one", "one\n", "two\nlines\n\n"])
def test_output_and_exit_code_come_as_they_are(text: str) -> None:
    assert said(Container(), ["sh", "-c", 'printf %s "$1"; exit 3', "sh", text]) == (3, text.encode())


@pytest.mark.parametrize("keeping", [0, 2, 20])
def test_a_command_whose_output_is_lost_has_no_answer(keeping: int) -> None:
    container = Container(losing=1, keeping=keeping)
    with pytest.raises(EnvironmentFault, match="lost the output of echo some text"):
        said(container, ["echo", "some text"])
    assert container.calls == 1


def test_a_reading_is_done_again() -> None:
    container = Container(losing=2)
    assert said(container, ["echo", "text"], again=True) == (0, b"text\n")
    assert container.calls == 3
