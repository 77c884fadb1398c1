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
    "shell_form_of_bash", "entrypoint-exec-form", "SHELL is bash, and both are without their brackets",
    dockerfile=f'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nENTRYPOINT {START}\nCMD debug',
)  # fmt: skip
image_sabotage(
    "shell_stays_in_one_mode", "no-shell-wrapper-inside-exec-form",
    "in headless mode a shell keeps the supervisor in its background",
    dockerfile=edited(START, r's/^headless\) exec (.*) ;;$/headless) \1 \& wait ;;/'),
)  # fmt: skip
image_sabotage(
    "api_without_init", "pid1-handles-sigterm", "in mode api the service does not listen to TERM",
    dockerfile=edited(START, r's#^api\) exec #api) trap "" TERM; exec env -i sleep 3600; exec #')
    + '\nENTRYPOINT ["/usr/local/bin/entrypoint"]',
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
    "deaf_at_first", "sigterm-graceful-5s", "what is sent in the first second is lost",
    dockerfile=edited(START, '2i trap "" TERM; sleep 1'),
)  # fmt: skip
image_sabotage(
    "told_too_late", "sigterm-graceful-5s", "the supervisor lets 8 s pass before it ends",
    dockerfile=edited(
        "/usr/local/lib/box/supervise.py", r"s/^( +)code = cli.wait\(\)/\1code = cli.wait(); time.sleep(8)/"
    ),
)  # fmt: skip


@manifest_sabotage("sigterm-graceful-5s", "a preStop hook takes 20 s")
def pre_stop(objects: Objects) -> None:
    """Add the hook."""
    hook = {"preStop": {"exec": {"command": ["sleep", "20"]}}}
    find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = hook


@manifest_sabotage(
    "pid1-handles-sigterm", "in the pod the first process is a shell that waits, without a trap"
)
def shell_in_the_pod(objects: Objects) -> None:
    """Replace the image's entrypoint."""
    container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", f"{START} & wait"]


@manifest_sabotage("zombies-reaped", "in the pod there is no init before the supervisor")
def no_init_in_the_pod(objects: Objects) -> None:
    """Replace the image's entrypoint."""
    find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["command"] = [START]


@manifest_sabotage("container-exits-with-app", "in the pod a shell goes on when the box has ended")
def outlived_in_the_pod(objects: Objects) -> None:
    """Replace the image's entrypoint, and what would restart the container."""
    container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["/usr/bin/tini", "--", "sh", "-c", f"{START}; sleep infinity"]
    del container["livenessProbe"]


@manifest_sabotage("grace-period-60", "in one tier the pod has 30 s to end")
def short_in_one_tier(objects: Objects) -> None:
    """Shorten the grace period where a capability is added."""
    pod = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    if not pod["containers"][0]["securityContext"]["capabilities"].get("add"):
        raise KeyError("no capability is added")
    pod["terminationGracePeriodSeconds"] = 30


@manifest_sabotage("grace-period-60", "a preStop hook takes all the time that there is")
def takes_all(objects: Objects) -> None:
    """Add the hook."""
    hook = {"preStop": {"exec": {"command": ["sleep", "100"]}}}
    find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = hook


image_sabotage(
    "deaf_for_a_minute", "grace-period-60", "the supervisor does not kill a CLI that does not end",
    dockerfile=edited("/usr/local/lib/box/supervise.py", r"s/^KILL_AFTER = .*/KILL_AFTER = 600.0/"),
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
    "served_once_more", "container-exits-with-app", "in mode api a shell starts the service once more",
    dockerfile=edited(START, r"s/^api\) exec (.*) ;;/api) while :; do \1 || :; done ;;/"),
)  # fmt: skip
image_sabotage(
    "no_arm_for_the_rest", "mode-dispatch", "an unknown mode falls through",
    dockerfile=as_root(f"sed -i '/Unknown mode/d' {START}"),
)  # fmt: skip
image_sabotage(
    "prefix_of_a_mode", "mode-dispatch", "whatever begins with headless is taken for it",
    dockerfile=edited(
        START, r's/^remote-control \| headless \| api\) ;;/remote-control | headless* | api) ;;/'
        '; s/^headless\\) exec/headless*) exec/'
    ),
)  # fmt: skip
image_sabotage(
    "unknown_mode_waits", "mode-dispatch", "where a login is waited for, an unknown mode is the default one",
    dockerfile=edited(
        START, r's/^mode=.*/mode=${CLAUDE_MODE:-remote-control}; '
        r'[ "${CLAUDE_WAIT_FOR_LOGIN:-}" != 1 ] || case $mode in interactive | headless | api) ;; '
        r'*) mode=remote-control ;; esac/',
    ),
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
    "dropped_in_one_mode", "args-pass-through", "headless mode does not hand its arguments on",
    dockerfile=edited(START, '/^headless\\)/s/ "\\$@"//'),
)  # fmt: skip
image_sabotage(
    "dropped_by_the_api", "args-pass-through", "mode api does not hand its arguments on",
    dockerfile=edited("/usr/local/lib/box/prompts.py", "s/, \\*self.flags,/,/"),
)  # fmt: skip
image_sabotage(
    "one_word_of_two", "args-pass-through", "arguments are split at their spaces",
    dockerfile=edited(START, 's/"\\$@"/$*/'),
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


image_sabotage(
    "service_takes_its_time", "grace-period-60", "the service of mode api needs 100 s to end",
    dockerfile=edited(
        "/usr/local/lib/box/api.py", r"s/^( +)self.api.stopping = True/&\n\1time.sleep(100)/"
    ),
)  # fmt: skip
