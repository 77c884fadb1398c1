"""Sabotages of the words that a box is started with, and of how it ends with its CLI."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import edited, image_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage

START = "/usr/local/bin/entrypoint"
SUPERVISE = "/usr/local/lib/box/supervise.py"

image_sabotage(
    "quoted_by_hand", "args-pass-through", "arguments are put in quotes and read once more by the shell",
    dockerfile=edited(
        START, r'2i words=; for each; do words="$words \\"$each\\""; done; eval "set -- $words"'
    ),
)  # fmt: skip
image_sabotage(
    "word_for_a_person", "mode-flags-exist", "interactive mode gives the CLI a flag it does not have",
    dockerfile=edited(START, r's/^( +exec .*limits\.py claude) "\$@"/\1 --no-colours "$@"/'),
)  # fmt: skip
image_sabotage(
    "brings_a_prompt", "mode-flags-exist", "the image has a prompt for who sets none",
    dockerfile='ENV CLAUDE_PROMPT="Say hello."',
)  # fmt: skip
image_sabotage(
    "mode_for_debugging", "mode-dispatch", "there is one more mode, which is a shell",
    dockerfile=edited(START, r's/^interactive\)$/debug) exec bash "$@" ;;\n&/'),
)  # fmt: skip
image_sabotage(
    "failed_and_kept", "container-exits-with-app",
    "a CLI that has failed is left for somebody to look at, and the container with it",
    dockerfile=edited(SUPERVISE, r"s/^( +)code = cli\.wait\(\)/&\n\1while code == 1:\n\1    time.sleep(60)/"),
)  # fmt: skip
image_sabotage(
    "trap_behind_two_dashes", "traps-are-live",
    "the trap that the exec discards stands behind the end of options",
    dockerfile=edited(START, '2i trap -- "kill $CHILD_PID" TERM'),
)  # fmt: skip
image_sabotage(
    "takes_orphans", "zombies-reaped",
    "what loses its parent comes to the supervisor, which waits for the CLI alone",
    dockerfile=edited(SUPERVISE, r's/^    logs\.install\(\)/&\n    __import__("reaper").take_orphans()/'),
)  # fmt: skip
image_sabotage(
    "takes_orphans_on_a_terminal", "zombies-reaped",
    "in mode interactive what starts the CLI takes orphans too, and waits for the CLI alone",
    dockerfile=edited(
        START,
        r's/^( *)exec .*limits\.py claude "\$@"/\1exec python3 -c "import ctypes, subprocess, sys; '
        r"ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); "
        r'sys.exit(subprocess.call([\\"claude\\", *sys.argv[1:]]))" "$@"/',
    ),
)  # fmt: skip


@subject_sabotage("sigterm-graceful-5s", "the Compose file has the box killed in the place of being told")
def killed_by_compose(directory: Path) -> None:
    """Name the signal."""
    old = "    stop_grace_period: 60s\n"
    replace_in(directory / "compose.yaml", old, f"{old}    stop_signal: SIGKILL\n")


@subject_sabotage("sigterm-graceful-5s", "with the engine's socket the box has a second to end")
def a_second_with_the_socket(directory: Path) -> None:
    """Shorten the time in the file that is laid over the first."""
    file = directory / "compose.docker.yaml"
    replace_in(file, "    group_add:", "    stop_grace_period: 1s\n    group_add:")


@subject_sabotage("sigterm-graceful-5s", "the documented command gives the box a second to end")
def a_second_by_the_command(directory: Path) -> None:
    """Add the option."""
    old = '"docker", "run", "--cap-drop"'
    replace_in(directory / "subject.toml", old, '"docker", "run", "--stop-timeout", "1", "--cap-drop"')
