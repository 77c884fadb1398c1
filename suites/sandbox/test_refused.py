"""What a profile must not say or be: each form of a secret, each way in which others could write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_claims import claim, control, observe, require, scope
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import Stage
from suites.sandbox.test_plan import RED
from suites.sandbox.test_profiles import SIMPLE, accepted
from suites.sandbox.written_secrets import ISSUED, PLAIN

Profile = Callable[[str, str], Path]
FLAGGED = require("a secret of that form is flagged", lambda there: not there)
NOT_TAKEN = require("it is refused for the directory on its way", lambda there: not there)
SHOWN_RED = require(
    "what is in a secret place is red, with a warning, and allowed",
    lambda seen: seen["red"] and seen["launched"],
)
WRITABLE = (0o770, 0o720, 0o775, 0o702, 0o707, 0o1777)
INSIDE = (".ssh/id_ed25519", ".gnupg/private-keys-v1.d/a.key", ".aws/credentials", ".aws/sso/cache")
INSIDE_TOO = (".config/gcloud/credentials.db", ".config/age/keys.txt", ".config/sops/age/keys.txt")


@claim("sbx-profile-no-plaintext-secrets")
@scope("host")
def test_a_secret_of_any_form_is_flagged(sandbox: Sandbox, profile: Profile) -> None:
    with control("words that resemble one are none: the profile is accepted"):
        profile("p", SIMPLE + PLAIN)
        FLAGGED.fails(observe("accepted", "plain words", accepted(sandbox)[0]))
    for issuer, (first, rest) in ISSUED.items():
        path = profile("p", f"{SIMPLE}# for later: {first}{rest}\n")
        there, said = accepted(sandbox)
        FLAGGED(observe("accepted", f"a secret: {issuer}", there))
        assert str(path) in said, said
        assert rest not in said, f"the message shows the secret of {issuer}"


@claim("sbx-profile-directory-and-symlink-checked")
@scope("host")
def test_whoever_else_may_write_a_directory_of_the_way_it_is_refused(
    sandbox: Sandbox, stage: Stage, profile: Profile
) -> None:
    """A group may be of many, and others may write without being able to read."""
    directory = profile("p", SIMPLE).parent
    with control("in directories that nobody else may write it is accepted, though they may be read"):
        for place in (directory, stage.home):
            place.chmod(0o755)
            NOT_TAKEN.fails(observe("accepted", f"{place.name} is 0755", accepted(sandbox)[0]))
    for place in (directory, directory.parent, stage.home):
        before = place.stat().st_mode
        for mode in WRITABLE:
            place.chmod(mode)
            there, said = accepted(sandbox)
            NOT_TAKEN(observe("accepted", f"{place.name} is {mode:04o}", there))
            assert str(place) in said, said
        place.chmod(before)


@claim("sbx-audit-highlights-secret-mounts")
@scope("host")
def test_a_mount_of_what_is_in_a_secret_place_is_red(
    sandbox: Sandbox, stage: Stage, profile: Profile
) -> None:
    """One key is as secret as the directory of keys; by a link as well, and to be written as well."""
    for each in (*INSIDE, *INSIDE_TOO, "data/a.txt"):
        (stage.home / each).parent.mkdir(parents=True, exist_ok=True)
        (stage.home / each).write_text("")
    (stage.home / "link").symlink_to(stage.home / ".ssh/id_ed25519")

    def red(source: str, *, write: bool = False) -> dict[str, bool]:
        more = "write = true\n" if write else ""
        profile("one", f'[[mounts]]\nsource = "{stage.home}/{source}"\ntarget = "/run/it"\n{more}')
        with sandbox.background(["echo", "started"], "offline", profile="one", terminal=True) as process:
            ended = process.wait(30)
        line = next((each for each in ended.stdout.splitlines() if "-> /run/it" in each), "")
        seen = {"red": RED in line and "exposes" in line, "launched": ended.ok and "started" in ended.stdout}
        return observe("red", f"{source}{', to be written' if write else ''}", seen)

    with control("a harmless file is not red"):
        SHOWN_RED.fails(red("data/a.txt"))
    for each in (*INSIDE, *INSIDE_TOO, "link"):
        SHOWN_RED(red(each))
    SHOWN_RED(red(".ssh/id_ed25519", write=True))


OLD_VERSIONS = ("0.1.0", "0.2.3", "0.3.1", "0.3.3", "0.3.99")
SAYS = 'case "$*" in *--version*) echo "slirp4netns version $(cat {file})"; exit;; esac\nexec "$REAL" "$@"'
TOO_OLD = require("a version that is too old is not started", lambda started: not started)


@claim("sbx-slirp-version-and-dns-address")
@scope("host")
def test_every_version_before_the_oldest_is_refused(
    sandbox: Sandbox, stage: Stage, faked: Callable[[str, str], None]
) -> None:
    file = stage.directory / "version"
    faked("slirp4netns", SAYS.format(file=file))

    def started(version: str) -> bool:
        file.write_text(f"{version}\n")
        return observe("started", f"version {version}", sandbox.run(["true"], "internet").ok)

    with control("the oldest that is allowed starts, and one that only looks smaller"):
        for each in ("0.4.0", "0.10.0"):
            TOO_OLD.fails(started(each))
    for each in OLD_VERSIONS:
        TOO_OLD(started(each))


LINKED = {"ssh": ".ssh", "gnupg": ".gnupg", "gcloud": ".config/gcloud"}


@claim("sbx-audit-highlights-secret-mounts")
@scope("host")
def test_where_a_secret_place_leads_is_red(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    """Whoever keeps settings in one directory has links to it in the home: its name says nothing."""
    kept = stage.home / "dotfiles"
    for name, place in LINKED.items():
        (kept / name).mkdir(parents=True)
        (stage.home / place).parent.mkdir(parents=True, exist_ok=True)
        (stage.home / place).symlink_to(kept / name)
    (kept / "vim").mkdir()

    def red(source: Path) -> dict[str, bool]:
        profile("one", f'[[mounts]]\nsource = "{source}"\ntarget = "/run/it"\n')
        with sandbox.background(["echo", "started"], "offline", profile="one", terminal=True) as process:
            ended = process.wait(30)
        line = next((each for each in ended.stdout.splitlines() if "-> /run/it" in each), "")
        seen = {"red": RED in line and "exposes" in line, "launched": ended.ok and "started" in ended.stdout}
        return observe("red", str(source.relative_to(stage.home)), seen)

    with control("what lies beside it, and is in no secret place, is not red"):
        SHOWN_RED.fails(red(kept / "vim"))
    for source in (*(kept / name for name in LINKED), kept):
        SHOWN_RED(red(source))
