"""Sabotages of the sandbox's sessions: helpers that stay, locks, instances that are mixed up."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage


@subject_sabotage("sbx-slirp-cleanup", "slirp4netns has no exit descriptor, and nobody ends it")
def nobody_ends_it(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("    finally:\n        processes.end_all()\n", "    finally:\n        pass\n"),
    )
    edit(directory, "network", ('"--exit-fd=6", ', ""))


@subject_sabotage("sbx-slirp-cleanup", "each session leaves a temporary file")
def temporary_file(directory: Path) -> None:
    start = "    processes.become_subreaper()\n    processes.leave_keyring()\n"
    edit(directory, "launch", (start, '    __import__("tempfile").mkstemp()\n' + start))


@subject_sabotage("sbx-slirp-cleanup", "each session leaves the file of a socket in its instance")
def socket_in_the_instance(directory: Path) -> None:
    start = "    processes.become_subreaper()\n    processes.leave_keyring()\n"
    left = '    open(f"{plan.instance.path}/{os.getpid()}.sock", "w").close()\n'
    edit(directory, "launch", (start, left + start))


@subject_sabotage("sbx-slirp-cleanup", "Ctrl-C reaches bwrap, which kills a payload that is shutting down")
def interrupt_kills(directory: Path) -> None:
    edit(directory, "guard", ("group=self.group, ignored=processes.ENDING", "group=self.group"))


@subject_sabotage("sbx-slirp-dies-on-sigkill", "the guard does not notice that the launcher has gone")
def guard_goes_on(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("                raise Stopped(128 + signal.SIGKILL)\n", "                signal.pause()\n"),
    )


@subject_sabotage("sbx-slirp-dies-on-sigkill", "the launcher does not clean up after a guard that was killed")
def launcher_goes_away(directory: Path) -> None:
    edit(directory, "launch", ("            processes.end_all()\n", ""))
    edit(directory, "network", ('"--exit-fd=6", ', ""))


@subject_sabotage("sbx-lock-released", "bwrap and slirp4netns inherit the lock's descriptor")
def descriptor_inherited(directory: Path) -> None:
    edit(
        directory,
        "instances",
        (
            "    os.ftruncate(fd, 0)\n",
            "    fd = fcntl.fcntl(fd, fcntl.F_DUPFD, 50)\n    os.ftruncate(fd, 0)\n",
        ),
    )
    edit(
        directory,
        "processes",
        ("        os.closerange(before, there)\n", ""),
        ("    os.closerange(before, limit)\n", ""),
    )


@subject_sabotage("sbx-lock-released", "a file stands for the lock, and a kill leaves it")
def lock_file_stays(directory: Path) -> None:
    taken = "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    instead = "        os.close(os.open(instance.lock + '.held', os.O_CREAT | os.O_EXCL))\n"
    edit(directory, "instances", (taken, instead), ("except BlockingIOError:", "except FileExistsError:"))


@subject_sabotage("sbx-worktrees-and-subdirs-share-instance", "an instance belongs to the current directory")
def current_directory_hashed(directory: Path) -> None:
    edit(
        directory,
        "cli",
        ("os.getcwd(), safely.home()).root)\n        sys", "os.getcwd(), safely.home()).cwd)\n        sys"),
    )


@subject_sabotage(
    "sbx-worktrees-and-subdirs-share-instance",
    "a session has the instance of its worktree, whatever is printed",
)
def instance_of_the_worktree(directory: Path) -> None:
    edit(directory, "plan", ("instances.of(project.root)", "instances.of(project.workdir)"))


@subject_sabotage("sbx-worktrees-and-subdirs-share-instance", "a session begins at the top of its repository")
def begins_at_the_top(directory: Path) -> None:
    edit(directory, "plan", ('"--chdir", project.cwd', '"--chdir", project.workdir'))


@subject_sabotage("sbx-worktrees-and-subdirs-share-instance", "the repository's hooks can be written inside")
def hooks_writable(directory: Path) -> None:
    edit(directory, "plan", ("        for name in projects.RUNS_CODE:", "        for name in ():"))


@subject_sabotage("sbx-different-projects-differ", "the key of a repository is its relative .git")
def relative_key(directory: Path) -> None:
    edit(
        directory,
        "projects",
        (
            "return Project(at, at, cwd) if os.path.isfile",
            'return Project(".git", at, cwd) if os.path.isfile',
        ),
    )


@subject_sabotage("sbx-different-projects-differ", "a pointer to a worktree's directory is believed")
def pointer_believed(directory: Path) -> None:
    edit(
        directory,
        "projects",
        ('    if not knows or os.path.dirname(target) != f"{common}/worktrees":\n', "    if not target:\n"),
    )


@subject_sabotage("sbx-instance-hash-has-uid-and-owner-check", "the user is not in the name")
def user_left_out(directory: Path) -> None:
    edit(directory, "instances", ('b"%d:%s" % (os.getuid(), os.fsencode(root))', "os.fsencode(root)"))


@subject_sabotage(
    "sbx-instance-hash-has-uid-and-owner-check", "owner and mode of directories are not looked at"
)
def directories_unchecked(directory: Path) -> None:
    edit(
        directory,
        "safely",
        (
            "    elif found.st_uid != os.getuid():\n",
            "    elif directory:\n        pass\n    elif found.st_uid != os.getuid():\n",
        ),
    )


@subject_sabotage("sbx-concurrent-session-coordinated", "no session takes the lock")
def lock_not_taken(directory: Path) -> None:
    edit(
        directory,
        "instances",
        (
            "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
            "        fcntl.flock(fd, fcntl.LOCK_UN)\n",
        ),
    )


@subject_sabotage("sbx-concurrent-session-coordinated", "a second session goes on although the lock is taken")
def nobody_refused(directory: Path) -> None:
    edit(
        directory,
        "instances",
        ("        if force:\n            return fd\n", "        if fd >= 0:\n            return fd\n"),
    )


@subject_sabotage("sbx-different-projects-differ", "an instance is called after the last part of the path")
def last_part_hashed(directory: Path) -> None:
    whole = "os.fsencode(root))).hexdigest()"
    edit(directory, "instances", (whole, "os.fsencode(os.path.basename(root)))).hexdigest()"))


@subject_sabotage("sbx-different-projects-differ", "bare repositories beside each other are one project")
def bare_ones_together(directory: Path) -> None:
    either = 'os.path.dirname(common) if os.path.basename(common) == ".git" else common'
    edit(directory, "projects", (either, "os.path.dirname(common)"))


STICKY = (
    "    elif found.st_mode & (0o077 if private else OTHERS):\n",
    "    elif not found.st_mode & stat.S_ISVTX and found.st_mode & (0o077 if private else OTHERS):\n",
)


@subject_sabotage(
    "sbx-instance-hash-has-uid-and-owner-check", "who else may write is passed over where the sticky bit is"
)
def sticky_instance(directory: Path) -> None:
    edit(directory, "safely", STICKY)


@subject_sabotage(
    "sbx-profile-directory-and-symlink-checked", "a directory for all to write is taken if it is sticky"
)
def sticky_directory(directory: Path) -> None:
    edit(directory, "safely", STICKY)


@subject_sabotage(
    "sbx-worktrees-and-subdirs-share-instance", "a repository's pointer to a worktree is taken for absolute"
)
def pointer_taken_for_absolute(directory: Path) -> None:
    knows = "os.path.realpath(os.path.join(target, back)) == os.path.realpath(pointer)"
    edit(directory, "projects", (knows, "back == os.path.realpath(pointer)"))


@subject_sabotage(
    "sbx-worktrees-and-subdirs-share-instance", "a project is called by the way on which one came to it"
)
def called_by_its_way(directory: Path) -> None:
    real = "    cwd = os.path.realpath(cwd)\n"
    edit(directory, "projects", (real, '    cwd = os.environ.get("PWD", cwd)\n'))
