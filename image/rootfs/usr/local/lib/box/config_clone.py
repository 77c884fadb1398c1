"""Brings the agent's configuration out of a private git repository, before the agent starts.

config_clone.py             clone it or update the clone, deliver its files; 1 and the reason if that fails
config_clone.py credential  answer git, which asks for the name and the token

The clone is on a volume of its own that the agent never sees: hooks and settings that it put there would run
where the token is. The token goes from its file to git through a pipe and nowhere else.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

# a directory with repository and token, and where wanted username, branch, ca.crt, credentials.json
SECRET = "BOX_CONFIG_SECRET"
CLONE = "BOX_CONFIG_CLONE"
DEFAULTS = {SECRET: "/run/secrets/config-clone", CLONE: "/var/lib/config-clone"}
USERNAME = "x-access-token"  # what GitHub wants beside a token; other servers take any name
CREDENTIALS = ".credentials.json"
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,200}")
LARGEST = 256 << 20  # bytes of a file that is compared: more than the clone's volume has
LIMIT = 300  # seconds for one git command
STALLED = 30  # seconds without a byte after which a transfer is given up
REMEDY = (
    "kubectl create secret generic claude-config-clone"
    " --from-literal=repository=https://HOST/PATH.git --from-file=token=FILE"
)


class Failure(Exception):
    """Why there is no configuration; the text is for the log and never holds the token."""


def secret(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return one entry of the Secret without blanks around it, "" where there is none."""
    path = Path(environ.get(SECRET) or DEFAULTS[SECRET], name)
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {path}: {error}") from error


def repository(given: str) -> str:
    """Return the repository's address; raises Failure for one that could leak the token or run a program."""
    if not given:
        raise Failure(f"no repository is given. Do: {REMEDY}")
    try:
        parts = urlsplit(given)
    except ValueError as error:
        raise Failure(f"the repository's address is none: {error}") from None
    if parts.query or parts.fragment or "?" in given or "#" in given:
        raise Failure(
            "the repository's address holds a ? or a #, where tokens are put. Allowed: https://HOST/PATH"
        )
    if "@" in parts.netloc:
        raise Failure(
            "the repository's address holds a user name or a token. Put them into keys of their own."
        )
    if parts.scheme != "https" or not parts.hostname or re.search(r"[\s\x00-\x1f]", given):
        raise Failure(f"repository {given!r} is none that is used here. Allowed: https://HOST/PATH")
    return given


def branch(given: str) -> str:
    """Return the branch's name; raises Failure for what git would take for something else."""
    if given and (not BRANCH.fullmatch(given) or ".." in given):
        raise Failure(f"branch {given!r} is no name of a branch")
    return given


def settings(url: str) -> dict[str, str]:
    """Return what git is told for one run, all of it by environment: nothing of it stays on a volume."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    told = [
        ("credential.helper", ""),  # forget every other
        (f"credential.{origin}.helper", f"!python3 -I {Path(__file__).resolve()} credential"),
        ("http.followRedirects", "false"),  # another host must not be given the token
        ("http.lowSpeedLimit", "1"),
        ("http.lowSpeedTime", str(STALLED)),
        ("core.hooksPath", "/dev/null"),
        ("gc.autoDetach", "false"),
        ("advice.detachedHead", "false"),
    ]
    made = {"GIT_CONFIG_COUNT": str(len(told)), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    for number, (key, value) in enumerate(told):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return made | {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https"}


def environment(url: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return git's environment: ours, a proxy included, without whatever else would steer it."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("GIT_", "SSH_"))}
    authority = Path(environ.get(SECRET) or DEFAULTS[SECRET], "ca.crt")
    return kept | settings(url) | ({"GIT_SSL_CAINFO": str(authority)} if authority.is_file() else {})


class Clone:
    """The clone of ``url`` in a directory; every method but ``whole`` raises Failure with git's own words."""

    def __init__(self, url: str, directory: Path, branch: str = "") -> None:
        self.url = url
        self.directory = directory
        self.branch = branch

    def git(self, *words: str, inside: bool = True) -> str:
        """Run git, by default on the clone, and return its standard output."""
        place = [f"--git-dir={self.directory}/.git", f"--work-tree={self.directory}"] if inside else []
        try:
            ended = subprocess.run(
                ["git", *place, *words], env=environment(self.url), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=LIMIT, check=False, cwd=self.directory,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Failure(f"git {words[0]} did not end within {LIMIT} s") from None
        if ended.returncode:
            lines = ended.stderr.decode(errors="replace").strip().splitlines()
            raise Failure(f"git {words[0]} of {self.url}: {'; '.join(lines[-3:])}")
        return ended.stdout.decode(errors="surrogateescape")

    @property
    def commit(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "--verify", "HEAD").strip()

    def whole(self) -> bool:
        """Return whether there is a clone that nothing is missing of."""
        try:
            self.git("fsck", "--connectivity-only", "--no-dangling")
            return bool(self.commit)
        except Failure:
            return False

    def bring(self) -> str:
        """Update the clone, or make it where there is no whole one; returns what was done."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for lock in (self.directory / ".git").rglob("*.lock"):  # of a start that was killed
            lock.unlink()
        if self.whole():
            before = self.commit
            self.git("fetch", "--depth=1", "--no-tags", "--prune", self.url, self.branch or "HEAD")
            self.git("reset", "--hard", "FETCH_HEAD")
            self.git("clean", "-ffdxq")
            return f"updated the clone from {before[:12]} to {self.commit[:12]}"
        empty(self.directory)
        chosen = [f"--branch={self.branch}"] if self.branch else []
        self.git("clone", "--depth=1", "--no-tags", *chosen, "--", self.url, ".", inside=False)
        return f"cloned {self.commit[:12]}"

    def files(self) -> list[str]:
        """Return the paths of what the commit holds, other repositories in it left out."""
        entries = [each.partition("\t") for each in self.git("ls-files", "-sz").split("\0") if each]
        return [path for what, _, path in entries if not what.startswith("160000 ")]


def empty(directory: Path) -> None:
    """Remove everything in a directory, whatever it is called."""
    for each in directory.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def digest(path: Path) -> str:
    """Return what tells one content of a path from another, "" where there is nothing."""
    try:
        if path.is_symlink():
            return f"link {path.readlink()}"
        if path.is_file() and path.stat().st_size <= LARGEST:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return "other" if os.path.lexists(path) else ""
    except OSError:
        return "other"


class Delivery:
    """Files of the clone on their way into the agent's directory; what was changed there since is kept.

    ``known`` is what the last delivery left: path -> digest.
    """

    def __init__(self, source: Path, target: Path, known: Mapping[str, str]) -> None:
        self.source = source
        self.target = target
        self.known = dict(known)
        self.kept: list[str] = []

    def deliver(self, files: list[str]) -> dict[str, str]:
        """Bring ``files``, take away what they no longer hold, and return what is now known."""
        now = {path: self._one(path) for path in files}
        for path in self.known.keys() - now.keys():
            if digest(self.target / path) == self.known[path] and self._reached(path):
                (self.target / path).unlink()
                self._prune((self.target / path).parent)
        return {path: mark for path, mark in now.items() if mark}

    def _one(self, path: str) -> str:
        wanted, have = digest(self.source / path), digest(self.target / path)
        if have != wanted:
            if not self._reached(path) or have not in ("", self.known.get(path)):
                self.kept.append(path)
                return self.known.get(path, "")
            put(self.source / path, self.target / path)
        return wanted

    def _reached(self, path: str) -> bool:
        """Return whether the directories above are ones, and no links out of the agent's directory."""
        above = [self.target / each for each in Path(path).parents if str(each) != "."]
        return all(each.is_dir() and not each.is_symlink() for each in above if os.path.lexists(each))

    def _prune(self, directory: Path) -> None:
        while directory != self.target and not any(directory.iterdir()):
            directory.rmdir()
            directory = directory.parent


def put(source: Path, target: Path) -> None:
    """Put a file or a link in its place at once and whole, for the owner alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".config-clone-") as aside:
        new = Path(aside, "new")
        if source.is_symlink():
            new.symlink_to(source.readlink())
        else:
            shutil.copyfile(source, new)
            new.chmod(0o700 if os.access(source, os.X_OK) else 0o600)
        new.replace(target)


def seed(target: Path) -> bool:
    """Give the agent the Secret's login if it has none: its own is newer. Returns whether that was so."""
    given = secret("credentials.json")
    place = target / CREDENTIALS
    if not given or os.path.lexists(place):
        return False
    # in a directory of its own: under a name that is known, the agent could have put a link
    with tempfile.TemporaryDirectory(dir=target, prefix=".config-clone-") as aside:
        new = Path(aside, "new")
        new.write_text(given)
        new.chmod(0o600)
        new.replace(place)
    return True


def clone(environ: Mapping[str, str] = os.environ) -> None:
    """Do all of it; raises Failure."""
    from logs import log

    base = Path(environ.get(CLONE) or DEFAULTS[CLONE])
    target = Path(environ.get("CLAUDE_CONFIG_DIR") or f"{environ.get('HOME', '')}/.claude")
    state = base / "delivered.json"
    made = Clone(repository(secret("repository")), base / "repository", branch(secret("branch")))
    log(made.bring(), repository=made.url)
    target.mkdir(parents=True, exist_ok=True)
    if seed(target):
        log(f"{target / CREDENTIALS} is the Secret's: there was none")
    try:
        known = json.loads(state.read_text())
    except (FileNotFoundError, ValueError, RecursionError):  # a first start, or one that was killed
        known = {}
    known = known if isinstance(known, dict) else {}  # what differs is kept
    delivery = Delivery(made.directory, target, known)
    new = state.with_name("delivered.json.new")
    new.write_text(json.dumps(delivery.deliver(made.files())))
    new.replace(state)
    for path in delivery.kept:
        log(f"{target / path} was changed here and is kept; remove it to get the repository's", "warning")


def main(words: list[str]) -> int:
    """Run as a program."""
    if words[:1] == ["credential"]:
        token = secret("token")
        if words[1:] == ["get"] and token:
            print(f"username={secret('username') or USERNAME}\npassword={token}")
        return 0
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from logs import install, log

    install()
    os.umask(0o077)
    try:
        clone()
    except (Failure, OSError, ValueError) as error:
        log(f"No configuration, so no agent: {error}", "error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
