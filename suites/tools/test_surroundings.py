"""What tools need beside themselves: authorities that they trust by default, and letters beyond ASCII."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.core.process import Result
from boxproof.deployment.box import Box
from pytest_claims import claim, control, observe, require
from pytest_claims.pace import stretched
from pytest_claims.waiting import until
from suites.tools.toolkit import VERSION

LEAST = 50  # root certificates: a distribution's own bundle has some 140
NOBODY_ANSWERED = (6, 7, 28)  # curl's codes where there was no name, no connection, or no answer in time
UNKNOWN = 60  # curl's code where it has authorities, and the one asked for is none of them
BUNDLE = (
    'grep -c "BEGIN CERTIFICATE" "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" 2>/dev/null || true'
)
LIMIT = 20  # seconds
POINTS_NOWHERE = {"SSL_CERT_FILE": "/nonexistent"}


@dataclass(frozen=True)
class Trusted:
    """How many authorities are in the bundle, and how curl ends that asks a server of another authority."""

    roots: int
    curl: int


TRUSTS = require(
    "public authorities are known, and another one is refused as unknown",
    lambda found: found.roots >= LEAST and found.curl == UNKNOWN,
)
UTF_8 = require("programs take texts for UTF-8", lambda charset: charset == "UTF-8")


def trusted(box: Box, asked: str, variables: dict[str, str] | None = None) -> Trusted:
    """Return what a program trusts that is told nothing of authorities; an observation."""
    given = ["env", *(f"{name}={value}" for name, value in (variables or {}).items())]
    roots = box.exec([*given, "sh", "-c", BUNDLE]).stdout.strip()
    seconds = f"{stretched(LIMIT):.0f}"

    def ended() -> Result | None:
        done = box.exec([*given, "curl", "-sS", "-o", "/dev/null", "--max-time", seconds, VERSION])
        return None if done.code in NOBODY_ANSWERED else done

    code = until(ended, timeout=60, what="the API server is there to be asked").code
    return observe("trusted", asked, Trusted(int(roots or 0), code))


@claim("all-tools-run-in-deployed-pod")
def test_tools_know_public_authorities_in_the_deployed_pod(box: Box) -> None:
    """Where they do not, curl, git, wget and the rest reach no server but by an option."""
    with control("where the bundle is not to be found none is known, and nobody can be asked"):
        TRUSTS.fails(trusted(box, "a bundle that is not there", POINTS_NOWHERE))
    TRUSTS(trusted(box, box.pod))


@claim("all-tools-run-in-deployed-pod")
def test_tools_take_texts_for_utf_8_in_the_deployed_pod(box: Box) -> None:
    """By the C library, whatever the variable is called: a locale that is not installed is none."""

    def charset(asked: str, *variables: str) -> str:
        return observe(
            "character set", asked, box.exec(["env", *variables, "locale", "charmap"]).stdout.strip()
        )

    with control("in the POSIX locale, and in one that is not installed, they take them for ASCII"):
        for each in ("POSIX", "xx_XX.UTF-8"):
            UTF_8.fails(charset(each, f"LC_ALL={each}"))
    UTF_8(charset(box.pod))
