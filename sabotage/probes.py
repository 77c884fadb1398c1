"""Sabotages of what tells whether the box is well."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, as_root, edited, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, pod_of

PROBE = "/usr/local/bin/healthcheck"
HEALTH = "/usr/local/lib/box/health.py"
SUPERVISE = "/usr/local/lib/box/supervise.py"


def asked_first(line: str) -> str:
    """Return Dockerfile lines that put a line of shell before the probe."""
    own = f"{PROBE}-own"
    script = f"printf '%s\\n' '#!/bin/sh' '{line}' 'exec {own} \"$@\"' > {PROBE}"
    return as_root(f"mv {PROBE} {own}", script, f"chmod 755 {PROBE}")


@manifest_sabotage("liveness-detects-dead-or-hung", "the liveness probe runs /bin/true")
def always_alive(objects: Objects) -> None:
    """Replace what the probe runs."""
    agent_of(objects)["livenessProbe"]["exec"]["command"] = ["true"]


@manifest_sabotage("liveness-detects-dead-or-hung", "a thousand failures are forgiven")
def patient(objects: Objects) -> None:
    """Raise the number."""
    agent_of(objects)["livenessProbe"]["failureThreshold"] = 1000


image_sabotage(
    "hung_is_alive", "liveness-detects-dead-or-hung", "the supervisor's CLI may be stopped",
    dockerfile=edited(SUPERVISE, r's/works\(process\(self.process.pid\), "the CLI"\)/None/'),
)  # fmt: skip
image_sabotage(
    "stopped_on_a_terminal", "liveness-detects-dead-or-hung", "in mode interactive a stopped CLI is alive",
    dockerfile=edited(HEALTH, r"/^    works\(min\(found/d"),
)  # fmt: skip
image_sabotage(
    "stopped_service", "liveness-detects-dead-or-hung", "in mode api a service that is there is alive",
    dockerfile=asked_first('[ "$CLAUDE_MODE" != api ] || exec pgrep -f api.py'),
)  # fmt: skip
image_sabotage(
    "last_words_hold_for_an_hour", "liveness-detects-dead-or-hung",
    "what the supervisor said holds for an hour",
    dockerfile=edited(SUPERVISE, "s/^HOLDS = .*/HOLDS = 3600.0/"),
)  # fmt: skip
image_sabotage(
    "ready_without_a_login", "readiness-reflects-auth", "a box that waits for a login is ready",
    dockerfile=edited(SUPERVISE, r's/tell\(ready=REMEDY\)/tell()/'),
)  # fmt: skip
image_sabotage(
    "lost_login_is_fine", "readiness-reflects-auth", "once the CLI runs nobody looks at its login",
    dockerfile=edited(SUPERVISE, r's/may_work\(mode\(\), self.told\)/None/'),
)  # fmt: skip
image_sabotage(
    "asked_once_an_hour", "docker-healthcheck-works", "the engine asks once an hour",
    dockerfile='HEALTHCHECK --interval=1h CMD ["/usr/local/bin/healthcheck", "live"]',
)  # fmt: skip
image_sabotage(
    "any_script_of_that_name", "probe-checks-the-right-thing", "a script of that name passes for the service",
    dockerfile=asked_first('[ "$CLAUDE_MODE" != api ] || exec pgrep -f api.py'),
)  # fmt: skip
image_sabotage(
    "stopped_is_alive", "docker-healthcheck-works", "a process that is stopped is one that runs",
    dockerfile=edited(HEALTH, 's/^STOPPED, DEAD = "T"/STOPPED, DEAD = "-"/'),
)  # fmt: skip
image_sabotage(
    "test_mode", "probe-checks-the-right-thing", "a variable for tests makes the probe succeed",
    dockerfile=asked_first('if [ "$CLAUDE_TEST_MODE" = true ]; then exit 0; fi'),
)  # fmt: skip
image_sabotage(
    "any_line_with_the_name", "probe-checks-the-right-thing",
    "any process with the name in its arguments passes",
    dockerfile=asked_first("exec pgrep -f claude"),
)  # fmt: skip
image_sabotage(
    "no_healthcheck", "docker-healthcheck-works", "the image has no HEALTHCHECK",
    dockerfile="HEALTHCHECK NONE",
)  # fmt: skip


@manifest_sabotage("readiness-reflects-auth", "the readiness probe asks what the liveness probe asks")
def ready_when_alive(objects: Objects) -> None:
    """Replace what the probe asks."""
    agent = agent_of(objects)
    agent["readinessProbe"]["exec"] = agent["livenessProbe"]["exec"]


image_sabotage(
    "refused_is_ready", "readiness-reflects-auth", "in the default mode a refusal leaves the box ready",
    dockerfile=edited(SUPERVISE, r's/^( +)if mode\(\) != "headless":/\1if False:/'),
)  # fmt: skip
image_sabotage(
    "refused_for_ever", "readiness-reflects-auth", "once a login was refused, no other makes the box ready",
    dockerfile=edited(HEALTH, "s/if refused == now.mark:/if refused is not None:/"),
)  # fmt: skip


@manifest_sabotage("readiness-reflects-auth", "the readiness probe forgives a hundred failures")
def patient_readiness(objects: Objects) -> None:
    """Raise the number."""
    agent_of(objects)["readinessProbe"]["failureThreshold"] = 100


@manifest_sabotage("probes-hold-under-load", "a probe has no time to start its program on a busy machine")
def no_time(objects: Objects) -> None:
    """Have it sleep for its whole second."""
    probe = agent_of(objects)["livenessProbe"]
    probe["timeoutSeconds"] = 1
    probe["exec"]["command"] = [
        "sh",
        "-c",
        "python3 -c 'sum(range(60000000))'; exec /usr/local/bin/healthcheck live",
    ]


image_sabotage(
    "forty_failures_forgiven", "docker-healthcheck-works", "the engine forgives forty failures in a row",
    dockerfile='HEALTHCHECK --interval=30s --retries=40 CMD ["/usr/local/bin/healthcheck", "live"]',
)  # fmt: skip


@subject_sabotage("docker-healthcheck-works", "the Compose file turns the health check off")
def off_in_compose(directory: Path) -> None:
    """Disable it."""
    replace_in(
        directory / "compose.yaml", "    restart: unless-stopped\n",
        "    restart: unless-stopped\n    healthcheck: {disable: true}\n",
    )  # fmt: skip


@subject_sabotage("docker-healthcheck-works", "by the Compose file each of its looks may hang for a minute")
def long_looks_in_compose(directory: Path) -> None:
    """Lengthen the time-out, and shorten the interval."""
    replace_in(
        directory / "compose.yaml", "    restart: unless-stopped\n",
        "    restart: unless-stopped\n    healthcheck: {interval: 5s, timeout: 1m}\n",
    )  # fmt: skip


@subject_sabotage("docker-healthcheck-works", "with the engine's socket the box is asked once an hour")
def seldom_with_the_socket(directory: Path) -> None:
    """Lengthen the interval in the file that is laid over the first."""
    replace_in(
        directory / "compose.docker.yaml", "    group_add:", "    healthcheck: {interval: 1h}\n    group_add:"
    )


@subject_sabotage("docker-healthcheck-works", "the documented command turns the health check off")
def off_in_the_command(directory: Path) -> None:
    """Add the option."""
    replace_in(
        directory / "subject.toml", '"docker", "run", "--cap-drop"',
        '"docker", "run", "--no-healthcheck", "--cap-drop"',
    )  # fmt: skip


RUNS = (
    'for each in /proc/[0-9]*; do [ "$(readlink $each/exe)" = /usr/local/bin/claude ] '
    '&& ! grep -q "^State:.T" $each/status && exit 0; done'
)
image_sabotage(
    "any_process_of_the_cli", "probe-checks-the-right-thing",
    "whoever has started it, any process of the CLI that is not stopped passes",
    dockerfile=asked_first(RUNS),
)  # fmt: skip
image_sabotage(
    "turned_off_by_one_word", "probe-checks-the-right-thing", "HEALTHCHECK=off makes the probe succeed",
    dockerfile=asked_first('[ "$HEALTHCHECK" != off ] || exit 0'),
)  # fmt: skip
image_sabotage(
    "mode_of_maintenance", "probe-checks-the-right-thing", "in a mode that there is not the probe succeeds",
    dockerfile=asked_first('case "$CLAUDE_MODE" in maintenance) exit 0 ;; esac'),
)  # fmt: skip
image_sabotage(
    "asked_in_one_mode", "docker-healthcheck-works", "the engine asks the box in headless mode alone",
    dockerfile='HEALTHCHECK --interval=30s --timeout=10s CMD test "$CLAUDE_MODE" != headless '
    "|| exec /usr/local/bin/healthcheck live",
)  # fmt: skip
image_sabotage(
    "served_without_a_login", "readiness-reflects-auth", "in mode api a login that is no good is ready",
    dockerfile=edited(
        "/usr/local/lib/box/api.py", r"s/return found\.usable and found\.mark/return found.mark/"
    ),
)  # fmt: skip
image_sabotage(
    "talks_without_a_login", "readiness-reflects-auth", "in mode interactive nobody looks at the login",
    dockerfile=edited(HEALTH, r"s/^    if ready:/    if False:/"),
)  # fmt: skip


@manifest_sabotage("liveness-detects-dead-or-hung", "what hangs from its start on is given an hour to start")
def an_hour_to_start(objects: Objects) -> None:
    """Until then nobody asks whether it is alive."""
    agent_of(objects)["startupProbe"].update(periodSeconds=10, failureThreshold=360)


@manifest_sabotage("liveness-detects-dead-or-hung", "a pod that hangs is given an hour to end")
def an_hour_to_end(objects: Objects) -> None:
    """Long prompts are to be answered first, somebody thought."""
    pod_of(objects)["terminationGracePeriodSeconds"] = 3600


@manifest_sabotage("liveness-detects-dead-or-hung", "each look at a program that hangs takes a minute")
def a_minute_for_a_look(objects: Objects) -> None:
    """On a busy machine an answer may take long, somebody thought."""
    agent_of(objects)["livenessProbe"].update(periodSeconds=10, timeoutSeconds=60)


@manifest_sabotage("readiness-reflects-auth", "each look at whether it is ready may take half a minute")
def half_a_minute_for_a_look(objects: Objects) -> None:
    """Three of them, one after another."""
    agent_of(objects)["readinessProbe"]["timeoutSeconds"] = 30


image_sabotage(
    "a_minute_for_an_answer", "docker-healthcheck-works", "the engine waits a minute for each answer",
    dockerfile='HEALTHCHECK --interval=5s --timeout=60s CMD ["/usr/local/bin/healthcheck", "live"]',
)  # fmt: skip
