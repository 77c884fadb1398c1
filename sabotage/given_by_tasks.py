"""Sabotages of what starts the box for its users: task runners, scripts, pipelines."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import subject_sabotage

SOCKET = "/var/run/docker.sock"


@subject_sabotage("iso-held-without-a-cluster", "a task runs the box with privileges, by a list of words")
def privileged_by_a_task(directory: Path) -> None:
    """So that a tool that asks for them works at once."""
    command = '["docker", "run", "--rm", "-it", "--privileged", "claude-in-a-box:TAG"]'
    path = directory / "tasks.py"
    path.write_text(f"{path.read_text()}\n\n@task\ndef agent(ctx: Context) -> None:\n    run({command})\n")


@subject_sabotage("iso-held-without-a-cluster", "a Makefile runs the box with the machine's processes")
def processes_by_a_makefile(directory: Path) -> None:
    """The image is in a variable, as it is in most of them."""
    text = "IMAGE ?= claude-in-a-box:TAG\n\nrun:\n\tdocker run --rm -it --pid host $(IMAGE)\n"
    (directory / "Makefile").write_text(text)


@subject_sabotage("iso-held-without-a-cluster", "a workflow runs the agent with privileges")
def privileged_by_a_workflow(directory: Path) -> None:
    """It is to look at a change, which anybody may propose."""
    lines = (
        "on: pull_request", "env:", "  BOX: claude-in-a-box:TAG", "jobs:", "  review:",
        "    runs-on: ubuntu-24.04", "    steps:",
        "      - run: docker run --privileged ${{ env.BOX }} -p review",
    )  # fmt: skip
    (directory / ".github/workflows/review.yml").write_text("\n".join((*lines, "")))


@subject_sabotage("docker-socket-opt-in", "the task that starts the box hands it the engine's socket")
def socket_by_a_task(directory: Path) -> None:
    """There is no task without it."""
    text = f"IMAGE ?= claude-in-a-box:TAG\n\nrun:\n\tdocker run --rm -it -v {SOCKET}:{SOCKET} $(IMAGE)\n"
    (directory / "Makefile").write_text(text)
