"""What the user is shown before the start: everything of the plan that is not the same for all."""

from __future__ import annotations

import os

from claudebox import safely
from claudebox.errors import plain
from claudebox.plan import VARIABLES, Plan
from claudebox.profiles import Mount

RED, BOLD, OFF = "\033[31m", "\033[1m", "\033[0m"
NONE = "none"
SECRETS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/age",
    ".age", ".config/sops", ".config/op", ".config/rclone", ".config/containers", ".netrc", ".npmrc",
    ".pypirc", ".pgpass", ".git-credentials", ".config/git", ".password-store", ".local/share/keyrings",
    ".mozilla", ".config/google-chrome", ".config/chromium", ".terraform.d", ".vault-token", ".claude",
    ".claudebox", ".bash_history", ".zsh_history", ".electrum", ".config/github-copilot",
    ".cargo/credentials.toml",
)  # fmt: skip
SYSTEM = (
    "/etc/shadow", "/etc/ssh", "/var/lib/docker", "/run/docker.sock", "/var/run/docker.sock",
    "/run/podman", "/run/containerd", "/run/user", "/proc", "/sys", "/dev",
)  # fmt: skip
KEYS = (".age", ".key", ".kdbx", ".p12")
TIERS = {
    "internet": "internet: public addresses and names; no LAN, no service of this machine, no IPv6",
    "full": "full: this machine's network as it is, with its services, abstract sockets (D-Bus, X11) and LAN",
    "offline": "offline: none",
}


def secrets() -> tuple[str, ...]:
    """Return the real paths of what is usually secret."""
    home = safely.home()
    return tuple(os.path.realpath(each) for each in (*(f"{home}/{name}" for name in SECRETS), *SYSTEM))


def exposes(source: str) -> str:
    """Return the secret path that a mount of ``source`` (a real path) exposes, or ""."""
    inside = source.rstrip("/") + "/"
    for each in secrets():
        if source == each or source.startswith(f"{each}/") or each.startswith(inside):
            return each
    name = os.path.basename(source)
    return source if name.endswith(KEYS) or (name == "keys.txt" and "age" in source) else ""


def text(plan: Plan, *, colour: bool) -> str:
    """Return the audit; lines on secrets are red where ``colour`` is."""
    lines = [
        f"{BOLD if colour else ''}claudebox{OFF if colour else ''}",
        f"  project       {plain(plan.project.root)}",
        *_place(plan, colour),
        f"  instance      {plain(plan.instance.path)}",
        f"  profile       {plan.profile.name or NONE}",
        f"  network       {TIERS[plan.tier]}",
    ]
    lines += _section("mounts", [_mount(each, colour) for each in plan.profile.mounts])
    lines += _section("packages", [plain(each) for each in _packages(plan)])
    lines += _section("variables", [*_variables(plan), *(f"{each} (not set)" for each in plan.missing)])
    lines += _section("nix daemon", _nix(plan))
    lines += _section("login", [f"shared with this machine, both ways ({plain(plan.store)})"])
    lines += _section("not protected", _unprotected(plan))
    return "\n".join(lines) + "\n"


def _section(title: str, entries: list[str]) -> list[str]:
    first, *rest = entries or [NONE]
    return [f"  {title:<13} {first}", *(f"{'':16}{each}" for each in rest)]


def _red(line: str, colour: bool) -> str:
    return f"{RED}{line}{OFF}" if colour else line


def _place(plan: Plan, colour: bool) -> list[str]:
    """Return the line of the directory that is bound, in red where it is or holds something secret."""
    secret = exposes(plan.project.workdir)
    line = f"  directory     {plain(plan.project.workdir)} (read-write)"
    return [_red(f"{line} <-- exposes {plain(secret)}", colour) if secret else line]


def _mount(mount: Mount, colour: bool) -> str:
    way = "read-write" if mount.write else "read-only"
    real = "" if mount.given == mount.source else f" = {plain(mount.source)}"
    line = f"{plain(mount.given)}{real} -> {plain(mount.target)} ({way})"
    secret = exposes(mount.source)
    return _red(f"{line} <-- exposes {plain(secret)}", colour) if secret else line


def _packages(plan: Plan) -> list[str]:
    found = plan.packages
    if not found.names:
        return []
    wanted = plan.profile.packages
    where = f"{wanted.provider} {wanted.where}" if wanted else ""
    return [f"{', '.join(found.names)} ({where})", *found.path]


def _variables(plan: Plan) -> list[str]:
    """Return the names of all variables inside that come from outside; values are never shown."""
    named = [each for each in plan.profile.variables if each in plan.env]
    nix = plan.nix.variables if plan.nix else ()
    usual = [each for each in (*VARIABLES, *nix) if each in plan.env and each not in named]
    return [f"{each} (profile)" for each in named] + ([", ".join(usual)] if usual else [])


def _nix(plan: Plan) -> list[str]:
    if plan.nix is None:
        return []
    return [f"{plain(plan.nix.socket)}: it fetches outside, with this machine's network, in every tier"]


def _unprotected(plan: Plan) -> list[str]:
    lines = ["the project: what is written there may run when you build, test or open it outside"]
    lines += ["the login: code inside can read and use it"]
    if plan.tier == "internet":
        lines += ["anything inside can be sent to any public address; DNS answers internal names too"]
    if plan.tier == "full":
        lines += ["services on this machine and its LAN, and its abstract sockets, can be used"]
    if plan.profile.user_namespaces:
        lines += ["user namespaces may be made inside: more of the kernel is in reach"]
    return lines


def dry_run(plan: Plan) -> str:
    """Return the commands of the launch as for a shell, the rules, and the names in the environment."""
    import shlex

    parts = [shlex.join(plan.bwrap)]
    if plan.slirp:
        parts += [shlex.join(plan.filter), plan.rules.rstrip(), shlex.join(plan.slirp)]
    parts += ["", *(f"# environment: {name}" for name in sorted(plan.env))]
    return "\n".join(parts) + "\n"
