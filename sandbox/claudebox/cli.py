"""The command line of claudebox."""

from __future__ import annotations

import os
import signal
import sys

from claudebox import VERSION
from claudebox.errors import USAGE, Problem, usage
from claudebox.network import TIERS
from claudebox.plan import Options

HELP = f"""claudebox {VERSION}: Claude Code in a bubblewrap sandbox

usage: claudebox [options] [-- ARGS]     ARGS go to the CLI
       claudebox auth status|link|unlink the login that sandboxes share with this machine
       claudebox repair                  put broken histories of this project aside

  --profile NAME      ~/.claudebox/profiles/NAME.toml
  --network TIER      {", ".join(TIERS)} (default: the profile's, else internet)
  --cidr NETWORK      addresses inside, in the internet tier
  --dry-run           print the commands and start nothing
  --yes               do not ask after the audit
  --force             start although another session runs in this project
  --exec              ARGS are a command of their own, in place of the CLI
  --print-instance    print where this project's history and settings are
"""
FLAGS = {
    "--dry-run": "dry_run", "--yes": "yes", "--force": "force", "--exec": "execute",
    "--print-instance": "print_instance",
}  # fmt: skip
VALUES = {"--profile": "profile", "--network": "network", "--cidr": "cidr"}


def parse(words: list[str]) -> Options:
    """Return the options; raises Problem for what is not known."""
    found: dict[str, object] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in FLAGS and not equals:
            found[FLAGS[name]] = True
        elif name in VALUES:
            if not equals:
                if not rest:
                    raise usage(f"{name} needs a value")
                value = rest.pop(0)
            found[VALUES[name]] = value
        else:
            known = ", ".join((*FLAGS, *VALUES))
            raise usage(f"unknown option {word!r}", f"allowed: {known}; arguments of the CLI stand after --")
    options = Options(**found, args=tuple(rest))  # type: ignore[arg-type]
    if options.network and options.network not in TIERS:
        raise usage(f"--network {options.network!r}", f"allowed: {', '.join(TIERS)}")
    if options.execute and not options.args:
        raise usage("--exec without a command", "for example: claudebox --exec -- bash")
    return options


def main(words: list[str] | None = None) -> int:
    """Run claudebox and return its exit code."""
    given = sys.argv[1:] if words is None else words
    try:
        return _main(given)
    except Problem as problem:
        from claudebox.guard import tell

        tell(problem)
        return problem.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _main(words: list[str]) -> int:
    if words[:1] in (["--help"], ["-h"], ["help"]):
        sys.stdout.write(HELP)
        return 0
    if words[:1] == ["--version"]:
        sys.stdout.write(f"claudebox {VERSION}\n")
        return 0
    if words[:1] == ["auth"]:
        return _auth(words[1:])
    if words[:1] == ["repair"]:
        return _repair(words[1:])
    return _start(parse(words))


def _auth(words: list[str]) -> int:
    from claudebox import login

    if words == ["status"]:
        text, there = login.status()
        sys.stdout.write(text)
        return 0 if there else 1
    if words == ["link"]:
        sys.stdout.write(login.link())
        return 0
    if words == ["unlink"]:
        sys.stdout.write(login.unlink())
        return 0
    raise usage(f"auth {' '.join(words)}".strip(), "allowed: auth status, auth link, auth unlink")


def _repair(words: list[str]) -> int:
    from claudebox import instances, projects, repair, safely

    if words:
        raise usage(f"repair {' '.join(words)}", "it takes no arguments: it is about the project you are in")
    found = instances.of(projects.find(os.getcwd(), safely.home()).root)
    sys.stdout.write(repair.repair(found))
    return 0


def _start(options: Options) -> int:
    from claudebox import audit, launch, plan

    if options.print_instance:
        from claudebox import instances, projects, safely

        found = instances.of(projects.find(os.getcwd(), safely.home()).root)
        sys.stdout.write(f"{found.path}\n")
        return 0
    made = plan.make(options, signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
    if options.dry_run:
        sys.stdout.write(audit.dry_run(made))
        return 0
    colour = os.isatty(2) and "NO_COLOR" not in os.environ
    sys.stderr.write(audit.text(made, colour=colour))
    sys.stderr.flush()
    if not options.yes and not confirmed():
        return USAGE
    return launch.launch(made, options)


def confirmed() -> bool:
    """Ask the user at the terminal; raises Problem where there is none to ask."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise usage(
            "nobody can be asked: there is no terminal", "read the audit above and add --yes"
        ) from None
    with open(fd, "r+b", buffering=0) as file:
        file.write(b"Start? [Y/n] ")
        answer = file.readline()
    return answer.strip().lower() in (b"", b"y", b"yes") and answer != b""
