"""Sabotages of the login in the sandbox, and of the recovery that keeps it."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage


@subject_sabotage("sbx-auth-writable-and-refresh-reaches-host", "the store is bound read-only")
def store_read_only(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('"--bind", f"{safely.top()}/auth/store", AUTH', '"--ro-bind", f"{safely.top()}/auth/store", AUTH'),
    )


@subject_sabotage(
    "sbx-auth-writable-and-refresh-reaches-host", "host and store are brought together at the start only"
)
def synced_once(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("            pause = self.sync.step()\n", "            pause = 60.0\n"),
        ("        processes.end_all()\n    sync.settle()\n", "        processes.end_all()\n"),
    )


@subject_sabotage("sbx-auth-writable-and-refresh-reaches-host", "what the host refreshes does not come in")
def one_way(directory: Path) -> None:
    edit(
        directory,
        "login",
        (
            "            newer = self._newer(host, store)\n",
            "            newer = store if store is not None else host\n",
        ),
    )


@subject_sabotage("sbx-auth-writable-and-refresh-reaches-host", "linked, the sandbox has a copy of the login")
def linked_to_a_copy(directory: Path) -> None:
    copied = '    __import__("shutil").copytree(store_directory(), store_directory() + "-kept")\n'
    edit(directory, "login", ("    Sync().settle()\n", f"    Sync().settle()\n{copied}"))
    bound = '"--bind", f"{safely.top()}/auth/store", AUTH'
    kept = 'f"{safely.top()}/auth/store-kept"'
    either = f'{kept} if os.path.isdir({kept}) else f"{{safely.top()}}/auth/store"'
    edit(directory, "plan", (bound, f'"--bind", {either}, AUTH'))


@subject_sabotage("sbx-only-auth-is-shared", "a descriptor of the caller is left open for the command")
def descriptor_left_open(directory: Path) -> None:
    """One alone: with those of the launcher's own nothing would see an end."""
    last = "    os.closerange(before, limit)\n"
    edit(directory, "processes", (last, "    os.closerange(before, 9)\n    os.closerange(10, limit)\n"))


@subject_sabotage("sbx-only-auth-is-shared", "the host's whole configuration directory is bound")
def whole_directory(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('"--bind", instance.config, f"{home}/.claude"', '"--bind", f"{home}/.claude", f"{home}/.claude"'),
    )


@subject_sabotage("sbx-only-auth-is-shared", "the host's settings of git come in where there are some")
def gitconfig_bound(directory: Path) -> None:
    line = '        "--bind", instance.config, f"{home}/.claude",\n'
    more = '        "--ro-bind-try", f"{home}/.gitconfig", f"{home}/.gitconfig",\n'
    edit(directory, "plan", (line, line + more))


@subject_sabotage("sbx-only-auth-is-shared", "the host's memory of the CLI comes in, at another place")
def memory_bound(directory: Path) -> None:
    line = '        "--bind", instance.config, f"{home}/.claude",\n'
    more = '        "--ro-bind-try", f"{home}/.claude/CLAUDE.md", "/run/claudebox/CLAUDE.md",\n'
    edit(directory, "plan", (line, line + more))


@subject_sabotage(
    "sbx-only-auth-is-shared", "bwrap starts with the host's environment, and clears it for the command"
)
def environment_left(directory: Path) -> None:
    start = "            self.plan.bwrap, self.plan.env,"
    edit(directory, "guard", (start, "            self.plan.bwrap, {**os.environ, **self.plan.env},"))


@subject_sabotage("sbx-recovery-keeps-auth", "the recovery removes the whole configuration of the instance")
def everything_removed(directory: Path) -> None:
    line = "    os.close(config)\n    os.close(held)\n"
    gone = '    __import__("shutil").rmtree(instance.config)\n    os.mkdir(instance.config, 0o700)\n'
    edit(directory, "repair", (line, line + gone))


@subject_sabotage("sbx-recovery-keeps-auth", "broken files stay where they are")
def nothing_recovered(directory: Path) -> None:
    edit(
        directory,
        "repair",
        ("    except ValueError:\n        return True\n", "    except ValueError:\n        return False\n"),
    )
