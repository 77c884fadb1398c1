"""Projects and their instances: which directory belongs to which, and who may have made it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.agent import login
from boxproof.core.process import Result, Started
from boxproof.probes.pods.helper_pods import unique
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until
from suites.sandbox.sandboxed import Api, Sandbox
from suites.sandbox.stage import Stage

Git = Callable[..., None]
STAY = ["sh", "-c", "echo started; read -r word"]
SETTINGS = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main")
LINES = 60
ONE = require("they are one instance", lambda number: number == 1)
TWO = require("they are two instances", lambda number: number == 2)
NOT_DONE = require("it is not done", lambda done: not done)
NO_HISTORY = require("no history of the other is seen", lambda number: number == "0")
APART = require("it does not join the repository", lambda joins: not joins)
OTHER_NAME = require("the name is another", lambda same: not same)
REFUSED = require("the instance is refused", lambda accepted: not accepted)
NOT_BESIDE = require("it does not start beside the first", lambda started: not started)
WHOLE = require("no line is broken", lambda number: number == 0)
# A writer that keeps one history in pieces, as a program with a buffer does.
WRITER = """
mkdir -p "$CLAUDE_CONFIG_DIR/projects"
echo started
n=0
while [ $n -lt {lines} ]; do
  printf '{{"session": %s, ' $$ >>"$CLAUDE_CONFIG_DIR/projects/one.jsonl"
  sleep 0.01
  printf '"line": %s}}\\n' $n >>"$CLAUDE_CONFIG_DIR/projects/one.jsonl"
  n=$((n + 1))
done
"""
BROKEN = """
import json, os
found = 0
for line in open(os.environ["CLAUDE_CONFIG_DIR"] + "/projects/one.jsonl"):
    try:
        json.loads(line)
    except ValueError:
        found += 1
print(found)
"""


@pytest.fixture
def git(stage: Stage) -> Git:
    """``git(directory, *words)`` runs git on the stage."""
    if shutil.which("git", path=stage.path) is None:
        raise EnvironmentFault("no git on this machine", hint="install the package git")

    def run(directory: Path, *words: str) -> None:
        result = stage.as_user(["git", *SETTINGS, *words], cwd=directory)
        if not result.ok:
            raise EnvironmentFault(result.describe())

    return run


def repository(git: Git, path: Path) -> Path:
    """Make a repository with a commit and a subdirectory."""
    (path / "sub").mkdir(parents=True)
    git(path, "init", "-q")
    (path / "sub/file").write_text("one\n")
    git(path, "add", ".")
    git(path, "commit", "-qm", "one")
    return path


@claim("sbx-worktrees-and-subdirs-share-instance")
@scope("host")
def test_a_repository_has_one_instance(sandbox: Sandbox, stage: Stage, git: Git) -> None:
    repo = repository(git, stage.home / "repo")
    git(repo, "worktree", "add", "-q", str(stage.home / "wt"))
    git(repo, "worktree", "add", "-q", str(repo / ".worktrees/f"))
    plain = stage.home / "plain"
    (plain / "sub").mkdir(parents=True)
    with control("outside a repository a subdirectory is a project of its own"):
        both = {sandbox.instance(plain), sandbox.instance(plain / "sub")}
        ONE.fails(observe("instances", "a directory and one in it", len(both)))
    places = [repo, repo / "sub", stage.home / "wt", stage.home / "wt/sub", repo / ".worktrees/f"]
    found = {sandbox.instance(each) for each in places}
    ONE(observe("instances", "a repository, its subdirectories and worktrees", len(found)))
    trees = worktrees_of_a_bare_one(git, repo, stage.home / "bare.git", "first", "second")
    found = {sandbox.instance(each) for each in trees}
    ONE(observe("instances", "the worktrees of a bare repository", len(found)))


def worktrees_of_a_bare_one(git: Git, source: Path, bare: Path, *names: str) -> list[Path]:
    """Make a bare repository of another one, with a worktree of each name beside it."""
    git(source, "clone", "-q", "--bare", str(source), str(bare))
    trees = [bare.parent / f"{bare.stem}-{name}" for name in names]
    for name, each in zip(names, trees, strict=True):
        git(bare, "worktree", "add", "-q", "-b", name, str(each))
    return trees


ONE_BOUND = require(
    "sessions everywhere in it have one configuration, that of the instance which is named",
    lambda found: len(found) == 1 and "" not in found,
)
CONFIGURED = 'stat -c %d:%i "$CLAUDE_CONFIG_DIR"; touch "$CLAUDE_CONFIG_DIR/zz-session"'


@claim("sbx-worktrees-and-subdirs-share-instance")
@scope("host")
def test_the_sessions_of_a_repository_have_one_configuration(
    sandbox: Sandbox, stage: Stage, git: Git
) -> None:
    """Where a session writes, in each tier: what the launcher prints it works out by itself."""
    repo = repository(git, stage.home / "repo")
    git(repo, "worktree", "add", "-q", str(stage.home / "wt"))
    git(repo, "worktree", "add", "-q", str(repo / ".worktrees/f"))
    plain = stage.home / "plain"
    (plain / "sub").mkdir(parents=True)

    def bound(place: Path, tier: str) -> str:
        """Return which directory a session there has, "" unless it is in the instance that is printed."""
        said = sandbox.sh(CONFIGURED, tier, cwd=place)
        assert said.ok, said.describe()
        marks = list(Path(sandbox.instance(place)).rglob("zz-session"))
        own = {f"{each.parent.stat().st_dev}:{each.parent.stat().st_ino}" for each in marks}
        for each in marks:
            each.unlink()
        return said.stdout.strip() if own == {said.stdout.strip()} else ""

    def found(asked: str, *places: Path, tier: str = "offline") -> list[str]:
        return observe("configurations", asked, sorted({bound(each, tier) for each in places}))

    with control("outside a repository a subdirectory is a project of its own"):
        ONE_BOUND.fails(found("a directory and one in it", plain, plain / "sub"))
    places = [repo, repo / "sub", stage.home / "wt", stage.home / "wt/sub", repo / ".worktrees/f"]
    ONE_BOUND(found("a repository", *places))
    for tier in ("full", "internet"):
        ONE_BOUND(found(tier, repo / "sub", stage.home / "wt/sub", tier=tier))


AS_OUTSIDE = require(
    "the CLI inside names the histories of a directory as it does outside",
    lambda named: named["inside"] == named["outside"] != [],
)
PROMPT = ("-p", "Say hello.", "--output-format", "json")
TRUSTED = 'variables = ["NODE_EXTRA_CA_CERTS"]\n[[mounts]]\nsource = "{ca}"\n'


def keys_of(top: Path, run: Callable[[], Result]) -> list[str]:
    """Return the keys of the projects below a directory in which a prompt leaves a history."""
    before, said = set(top.rglob("projects/*/*.jsonl")), run()
    assert said.ok, said.describe()
    return sorted({each.parent.name for each in set(top.rglob("projects/*/*.jsonl")) - before})


def logged_in(stage: Stage) -> Path:
    """Return the directory of the host's own CLI, with a login in it."""
    host = stage.home / ".claude"
    host.mkdir(mode=0o700)
    (host / login.FILE).write_text(login.credentials(unique("stub-token")))
    (host / login.FILE).chmod(0o600)
    return host


@claim("sbx-worktrees-and-subdirs-share-instance")
@scope("host")
def test_the_cli_has_its_own_name_for_a_project(
    sandbox: Sandbox, stage: Stage, git: Git, api: Api, cli: Path, profile: Callable[[str, str], Path]
) -> None:
    """Its key of a project is made of where it runs: elsewhere it would not find its histories again."""
    profile("api", TRUSTED.format(ca=api.ca))
    host, repo = logged_in(stage), repository(git, stage.home / "repo")
    git(repo, "worktree", "add", "-q", str(stage.home / "wt"))

    def outside(place: Path) -> list[str]:
        words = [str(cli), *PROMPT]
        return keys_of(host, lambda: stage.as_user(words, cwd=place, env=api.env, timeout=120))

    def inside(place: Path) -> list[str]:
        def run() -> Result:
            return sandbox.run(
                (), "internet", cwd=place, env=api.env, timeout=120, arguments=PROMPT, profile="api"
            )

        return keys_of(Path(sandbox.instance(place)), run)

    def both(asked: str, within: list[str], without: list[str]) -> dict[str, list[str]]:
        return observe("keys of a project", asked, {"inside": within, "outside": without})

    places = (repo, repo / "sub", stage.home / "wt/sub")
    found = [inside(each) for each in places]
    with control("another directory has another name"):
        wanted = [outside(each) for each in places]
        assert all(wanted), "the CLI outside keeps no history"
        AS_OUTSIDE.fails(both("two directories", found[0], outside(stage.project)))
    for place, within, without in zip(places, found, wanted, strict=True):
        AS_OUTSIDE(both(place.name, within, without))


@claim("sbx-worktrees-and-subdirs-share-instance")
@scope("host")
def test_git_works_in_a_worktree_and_its_hooks_are_not_to_be_written(
    sandbox: Sandbox, stage: Stage, git: Git
) -> None:
    repo = repository(git, stage.home / "repo")
    tree = stage.home / "wt"
    git(repo, "worktree", "add", "-q", str(tree))
    commit = "git -c user.name=a -c user.email=a@b.example commit -q --allow-empty -m two"
    with control("a commit made inside arrives in the repository"):
        NOT_DONE.fails(observe("done inside", "commit", sandbox.sh(commit, "offline", cwd=tree).ok))
    for each in ("echo x >> {}/.git/config", "echo x > {}/.git/hooks/post-commit", "mv {}/.git {}/.g"):
        for place in (tree, repo):
            done = sandbox.sh(each.format(repo, repo), "offline", cwd=place)
            NOT_DONE(observe("done inside", f"{each} in {place.name}", done.ok))


@claim("sbx-different-projects-differ")
@scope("host")
def test_two_repositories_share_nothing(sandbox: Sandbox, stage: Stage, git: Git) -> None:
    one, other = (repository(git, stage.home / name) for name in ("one", "other"))
    with control("the same repository has the same instance again"):
        TWO.fails(observe("instances", "one, twice", len({sandbox.instance(one) for _ in range(2)})))
    TWO(observe("instances", "two repositories", len({sandbox.instance(each) for each in (one, other)})))
    write = 'mkdir -p "$CLAUDE_CONFIG_DIR/projects/x" && echo {} >"$CLAUDE_CONFIG_DIR/projects/x/a.jsonl"'
    look = 'find "$CLAUDE_CONFIG_DIR" -name "*.jsonl" | wc -l'
    assert sandbox.sh(write, "offline", cwd=one).ok
    with control("a later session of the same repository sees its history"):
        NO_HISTORY.fails(observe("histories", "one", sandbox.sh(look, "offline", cwd=one).stdout.strip()))
    NO_HISTORY(observe("histories", "other", sandbox.sh(look, "offline", cwd=other).stdout.strip()))


# the last parts of their paths are the same, or what is left where signs are replaced, or letters made small
ALIKE = ("a/app", "b/app", "a-app", "a.app", "a app", "a_app", "A/app", "a/app-", "aa/pp")
EACH_ITS_OWN = require(
    "there are as many instances as repositories", lambda seen: seen["instances"] == seen["repositories"]
)


@claim("sbx-different-projects-differ")
@scope("host")
def test_repositories_of_like_names_have_instances_of_their_own(
    sandbox: Sandbox, stage: Stage, git: Git
) -> None:
    """Nor do those share one that lie beside each other: bare ones, with their worktrees."""
    repositories = [repository(git, stage.home / each) for each in ALIKE]
    places = [
        *repositories,
        *(
            worktrees_of_a_bare_one(git, repositories[0], stage.home / f"{name}.git", "main-tree")[0]
            for name in ("x", "y")
        ),
    ]

    def counted(asked: str, *where: Path) -> dict[str, int]:
        found = {sandbox.instance(each) for each in where}
        return observe("instances", asked, {"instances": len(found), "repositories": len(where)})

    with control("a repository and a directory in it are one"):
        EACH_ITS_OWN.fails(counted("one, and one in it", places[0], places[0] / "sub"))
    EACH_ITS_OWN(counted("repositories of like names", *places))


@claim("sbx-different-projects-differ")
@scope("host")
def test_a_crafted_pointer_joins_nobody(sandbox: Sandbox, stage: Stage, git: Git) -> None:
    repo = repository(git, stage.home / "repo")
    git(repo, "worktree", "add", "-q", str(stage.home / "wt"))
    home = sandbox.instance(repo)
    with control("a worktree that the repository knows of joins it"):
        APART.fails(observe("joins", "its worktree", sandbox.instance(stage.home / "wt") == home))
    for name, target in (("crafted", repo / ".git/worktrees/wt"), ("direct", repo / ".git")):
        directory = stage.home / name
        directory.mkdir()
        (directory / ".git").write_text(f"gitdir: {target}\n")
        told = sandbox.says(*sandbox.part.instance, cwd=directory)
        APART(observe("joins", name, told.ok and told.stdout.strip() == home))
        assert told.ok or "does not point back" in told.stderr


@claim("sbx-instance-hash-has-uid-and-owner-check")
@scope("host")
def test_the_user_is_in_the_name(sandbox: Sandbox, stage: Stage) -> None:
    mine = Path(sandbox.instance(stage.project)).name
    with control("the same user has the same name again"):
        same = Path(sandbox.instance(stage.project)).name == mine
        OTHER_NAME.fails(observe("same name", "the same user", same))
    words = stage.command([*sandbox.command, *sandbox.part.instance])
    other = [each.replace("=1000", "=1001") if each.startswith("--map-") else each for each in words]
    told = stage.plainly(other)
    assert told.ok, told.describe()
    OTHER_NAME(observe("same name", "another user", Path(told.stdout.strip()).name == mine))


@claim("sbx-instance-hash-has-uid-and-owner-check")
@scope("host")
def test_an_instance_of_someone_elses_making_is_refused(sandbox: Sandbox, stage: Stage) -> None:
    own = Path(sandbox.instance(stage.project))
    own.mkdir(parents=True, mode=0o700)
    for each in (own, own.parent, own.parent.parent):
        each.chmod(0o700)
    with control("one's own directory of mode 0700 is accepted"):
        REFUSED.fails(observe("accepted", "0700", sandbox.run(["true"], "offline").ok))
    aside = stage.home / "aside"

    def linked() -> None:
        own.rename(aside)
        own.symlink_to(aside)

    def restored() -> None:
        own.unlink()
        aside.rename(own)

    for name, spoil, mend in (
        ("symlink", linked, restored),
        ("0777", lambda: own.chmod(0o777), lambda: own.chmod(0o700)),
        ("0702", lambda: own.chmod(0o702), lambda: own.chmod(0o700)),
        ("1777, as /tmp", lambda: own.chmod(0o1777), lambda: own.chmod(0o700)),
        ("another user's", lambda: stage.foreign(own), lambda: None),
    ):
        spoil()
        result = sandbox.run(["true"], "offline")
        REFUSED(observe("accepted", name, result.ok))
        assert str(own) in result.stderr and "refused" in result.stderr, result.stderr
        mend()


def begun(process: Started) -> Started:
    """Wait until the payload runs."""
    until(lambda: "started" in process.said, timeout=30, every=0.01, what="the payload starts")
    return process


@claim("sbx-concurrent-session-coordinated")
@scope("host")
def test_a_second_session_of_a_project_is_refused(sandbox: Sandbox, stage: Stage) -> None:
    other = stage.home / "other"
    other.mkdir()
    with sandbox.background(STAY, "internet") as first:
        begun(first)
        with control("one of another project runs beside it"):
            NOT_BESIDE.fails(
                observe("starts", "another project", sandbox.run(["true"], "internet", cwd=other).ok)
            )
        second = sandbox.run(["true"], "internet")
        NOT_BESIDE(observe("starts", "the same project", second.ok))
        assert second.code == 1 and "another session" in second.stderr and "--force" in second.stderr
        forced = sandbox.run(["true"], "internet", more=["--force"])
        assert observe("starts", "with --force", forced.ok), forced.describe()
        first.write("\n")
        first.wait(30)


@claim("sbx-concurrent-session-coordinated")
@scope("host")
def test_no_line_of_a_history_is_broken(sandbox: Sandbox, stage: Stage) -> None:
    broken = ["python3", "-c", BROKEN]
    writer = ["sh", "-c", WRITER.format(lines=LINES)]
    other = stage.home / "other"
    other.mkdir()
    with control("two that do not know of each other break lines of one history"):
        force = ["--force"]
        with sandbox.background(writer, "offline", cwd=other, more=force) as one:
            begun(one)
            sandbox.run(writer, "offline", cwd=other, more=force)
            one.wait(30)
        found = int(sandbox.run(broken, "offline", cwd=other).stdout)
        WHOLE.fails(observe("broken lines", "with --force", found))
    with sandbox.background(writer, "offline") as one:
        begun(one)
        sandbox.run(writer, "offline")
        one.wait(30)
    WHOLE(observe("broken lines", "without", int(sandbox.run(broken, "offline").stdout)))
