"""Sabotages of how the box starts and ends."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)

START = "/usr/local/bin/entrypoint"


def script(*lines: str) -> str:
    """Return Dockerfile lines that replace the entrypoint."""
    text = " ".join(f"'{line}'" for line in ("#!/bin/sh", *lines))
    return as_root(rf"printf '%s\n' {text} > {START}")


image_sabotage(
    "shell_form", "entrypoint-exec-form", "ENTRYPOINT is written without its brackets",
    dockerfile=f"ENTRYPOINT {START}",
)  # fmt: skip
image_sabotage(
    "command_in_shell_form", "entrypoint-exec-form", "CMD is written without its brackets",
    dockerfile="CMD debug",
)  # fmt: skip
image_sabotage(
    "shell_in_brackets", "no-shell-wrapper-inside-exec-form", "the brackets hold a shell",
    dockerfile=f'ENTRYPOINT ["sh", "-c", "{START}"]',
)  # fmt: skip
image_sabotage(
    "app_in_background", "no-shell-wrapper-inside-exec-form",
    "below the init, a shell keeps the app in its background",
    dockerfile=f'ENTRYPOINT ["/usr/bin/tini", "--", "sh", "-c", "{START} & wait"]',
)  # fmt: skip
image_sabotage(
    "no_exec", "final-process-exec", "the entrypoint calls what it should become",
    dockerfile=as_root(rf"sed -i -E 's/exec (claude|python3)/\1/' {START}"),
)  # fmt: skip
image_sabotage(
    "no_exec_in_one_mode", "final-process-exec", "one mode of several is called, not become",
    dockerfile=as_root(f"sed -i 's/^headless) exec /headless) /' {START}"),
)  # fmt: skip
image_sabotage(
    "shell_in_the_way", "sigterm-graceful-5s", "a shell between init and CLI takes TERM for itself",
    dockerfile=as_root(rf"sed -i -E 's/exec (claude|python3)/\1/' {START}"),
)  # fmt: skip
image_sabotage(
    "not_passed_on", "sigterm-graceful-5s", "the supervisor keeps TERM from the CLI until it kills it",
    dockerfile=as_root("sed -i 's/child.send_signal(number)/pass/' /usr/local/lib/box/supervise.py"),
)  # fmt: skip
image_sabotage(
    "deaf_first_process", "pid1-handles-sigterm", "PID 1 is a program without a handler",
    dockerfile='ENTRYPOINT ["sleep", "infinity"]',
)  # fmt: skip
image_sabotage(
    "shell_without_a_trap", "pid1-handles-sigterm", "PID 1 is a shell that waits, without a trap",
    dockerfile=f'ENTRYPOINT ["sh", "-c", "{START} & wait"]',
)  # fmt: skip
image_sabotage(
    "trap_then_exec", "traps-are-live", "a trap is set before the exec that discards it",
    dockerfile=as_root(f"sed -i '2i trap \"kill $CHILD_PID\" TERM' {START}"),
)  # fmt: skip
image_sabotage(
    "trap_and_foreground", "traps-are-live", "a trap has to wait for a child in the foreground",
    dockerfile=script('trap "exit 0" TERM', "sleep infinity"),
)  # fmt: skip
image_sabotage(
    "does_not_reap", "zombies-reaped", "PID 1 waits for nobody",
    dockerfile='ENTRYPOINT ["sleep", "infinity"]',
)  # fmt: skip
image_sabotage(
    "no_init", "zombies-reaped", "there is no init: the supervisor is PID 1",
    dockerfile=f'ENTRYPOINT ["{START}"]',
)  # fmt: skip
image_sabotage(
    "outlives_the_app", "container-exits-with-app", "the CLI runs beside an endless sleep",
    dockerfile=script('claude "$@" &', "exec sleep infinity"),
)  # fmt: skip
image_sabotage(
    "starts_it_again", "container-exits-with-app", "the supervisor starts a CLI that ended once more",
    dockerfile=edited(
        "/usr/local/lib/box/supervise.py", r"s/code = cli.wait\(\)/cli.wait(); code = Cli(argv).wait()/"
    ),
)  # fmt: skip
image_sabotage(
    "no_arm_for_the_rest", "mode-dispatch", "an unknown mode falls through",
    dockerfile=as_root(f"sed -i '/Unknown mode/d' {START}"),
)  # fmt: skip
image_sabotage(
    "another_default", "mode-dispatch", "without CLAUDE_MODE it is interactive",
    dockerfile=as_root(f"sed -i 's/CLAUDE_MODE:-remote-control/CLAUDE_MODE:-interactive/' {START}"),
)  # fmt: skip
image_sabotage(
    "command_only", "args-pass-through", "what was ENTRYPOINT is CMD, so arguments replace it",
    dockerfile=f'ENTRYPOINT []\nCMD ["/usr/bin/tini", "--", "{START}"]',
)  # fmt: skip
image_sabotage(
    "arguments_dropped", "args-pass-through", "the entrypoint does not hand its arguments on",
    dockerfile=as_root(f"sed -i 's/ \"$@\"//' {START}"),
)  # fmt: skip


@manifest_sabotage("grace-period-60", "the pod has 5 s to end")
def five_seconds(objects: Objects) -> None:
    """Shorten the grace period."""
    find(objects, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 5


@manifest_sabotage("grace-period-60", "the pod says nothing, and has 30 s")
def not_said(objects: Objects) -> None:
    """Leave the grace period to its default."""
    del find(objects, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
