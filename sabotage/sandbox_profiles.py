"""Sabotages of the sandbox's profiles and audit: files that nobody checks, lines that are not shown."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage


@subject_sabotage("sbx-profile-spaces-and-lists", "a path ends at its first space")
def unquoted(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ('source = self.absolute(given, "source")', 'source = self.absolute(given.split()[0], "source")'),
    )


@subject_sabotage("sbx-profile-spaces-and-lists", "of a list the last entry counts")
def last_entry(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ("tuple(self.mount(each) for each in mounts)", "tuple(self.mount(each) for each in mounts[-1:])"),
    )


@subject_sabotage("sbx-profile-permissions-checked", "nobody looks who owns a profile and who can write it")
def files_unchecked(directory: Path) -> None:
    edit(
        directory,
        "safely",
        (
            "    elif found.st_uid != os.getuid():\n",
            "    elif not directory:\n        pass\n    elif found.st_uid != os.getuid():\n",
        ),
    )


@subject_sabotage("sbx-profile-permissions-checked", "keys that are not known are passed over")
def unknown_keys(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ("            if key not in allowed:\n", "            if key not in allowed and not key:\n"),
    )


@subject_sabotage("sbx-profile-directory-and-symlink-checked", "only the file itself is looked at")
def only_the_file(directory: Path) -> None:
    edit(
        directory,
        "safely",
        ("    at = directory(parent)\n    try:\n", "    at = os.open(parent, os.O_DIRECTORY)\n    try:\n"),
    )


@subject_sabotage("sbx-profile-directory-and-symlink-checked", "what is read is opened again after the check")
def read_again(directory: Path) -> None:
    read = '    with open(_checked(fd, path, directory=False), "rb") as file:\n'
    again = "    os.close(_checked(fd, path, directory=False))\n"
    again += '    __import__("time").sleep(0.02)\n    with open(path, "rb") as file:\n'
    edit(directory, "safely", (read, again))


@subject_sabotage("sbx-profile-no-plaintext-secrets", "profiles are not searched for secrets")
def secrets_not_searched(directory: Path) -> None:
    edit(directory, "profiles", ("    _no_secrets(path, text)\n", ""))


@subject_sabotage("sbx-profile-no-plaintext-secrets", "the values of variables are options of bwrap")
def value_in_command_line(directory: Path) -> None:
    last = '        "--remount-ro", "/etc", '
    told = (
        '        *(word for name in profile.variables for word in ("--setenv", name, env.get(name, ""))),\n'
    )
    edit(directory, "plan", (last, told + last))


@subject_sabotage("sbx-audit-shows-everything", "the audit leaves the mounts out")
def mounts_not_shown(directory: Path) -> None:
    edit(directory, "audit", ("[_mount(each, colour) for each in plan.profile.mounts]", "[]"))


@subject_sabotage("sbx-audit-shows-everything", "a variable comes in that the audit does not name")
def variable_not_shown(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('    env |= {\n        "HOME"', '    env |= {"ZZ_EXTRA": "1"}\n    env |= {\n        "HOME"'),
    )


@subject_sabotage("sbx-audit-shows-everything", "a proxy's variables come in where they are set, unsaid")
def proxy_not_shown(directory: Path) -> None:
    line = "for name in VARIABLES if name in outer}"
    edit(
        directory, "plan", (line, 'for name in (*VARIABLES, "HTTPS_PROXY", "https_proxy") if name in outer}')
    )


@subject_sabotage("sbx-audit-shows-everything", "a token of the CLI's comes in where it is set, unsaid")
def token_not_shown(directory: Path) -> None:
    line = "for name in VARIABLES if name in outer}"
    edit(directory, "plan", (line, 'for name in (*VARIABLES, "CLAUDE_CODE_OAUTH_TOKEN") if name in outer}'))


@subject_sabotage("sbx-audit-highlights-secret-mounts", "a source is compared as it is written")
def compared_as_written(directory: Path) -> None:
    edit(
        directory,
        "audit",
        (
            "    secret = exposes(mount.source)\n",
            '    secret = mount.given if mount.given in secrets() else ""\n',
        ),
    )


@subject_sabotage("sbx-audit-highlights-secret-mounts", "a mount of something secret ends the launch")
def blocked(directory: Path) -> None:
    line = "    secret = exposes(mount.source)\n"
    edit(directory, "audit", (line, line + "    if secret:\n        raise SystemExit(1)\n"))


@subject_sabotage("sbx-audit-highlights-secret-mounts", "of a secret place that is a link its name counts")
def link_to_a_secret_place(directory: Path) -> None:
    real = "tuple(os.path.realpath(each) for each in"
    edit(directory, "audit", (real, "tuple(str(each) for each in"))
