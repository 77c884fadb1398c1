"""Sabotages of any box with a recipe or an ENTRYPOINT: the harness's own and the examples."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import image_sabotage
from boxproof.subject import model
from pytest_claims.sabotages import subject_sabotage

ENTRYPOINT = "/usr/local/bin/entrypoint"
AROUND = "/usr/local/bin/around"
HOME = '"$(getent passwd 1000 | cut -d: -f6)"'


def _around(*lines: str) -> str:
    """Return the lines of a Dockerfile that put a script in the place of what is started."""
    written = " ".join(f"'{each}'" for each in ("#!/bin/sh", *lines))
    return (
        f"USER root\nRUN printf '%s\\n' {written} >{AROUND} && chmod 0755 {AROUND}\n"
        f'USER 1000:1000\nENTRYPOINT ["/usr/bin/tini", "--", "{AROUND}"]'
    )


image_sabotage(
    "home_by_the_image", "home-uid-host-stable", "the image says another home than its user's",
    dockerfile="ENV HOME=/srv",
)  # fmt: skip
image_sabotage(
    "term_ends_at_a_shell", "sigterm-graceful-5s", "a shell that heeds TERM does not hand it on",
    dockerfile=_around("trap : TERM", f'{ENTRYPOINT} "$@" &', "wait", "wait"),
)  # fmt: skip
image_sabotage(
    "around_without_exec", "final-process-exec", "a script around it waits for the program that it starts",
    dockerfile=_around(f'{ENTRYPOINT} "$@"', "exit $?"),
)  # fmt: skip
image_sabotage(
    "helper_by_npx_at_the_start", "image-self-sufficient-offline", "what is started brings a helper by npx",
    dockerfile=_around("npx -y helper@latest || true", f'exec {ENTRYPOINT} "$@"'),
)  # fmt: skip
image_sabotage(
    "begun_again_around_it", "container-exits-with-app", "a script around it starts the program again",
    dockerfile=_around("while :; do", f'    {ENTRYPOINT} "$@"', "done"),
)  # fmt: skip
image_sabotage(
    "list_of_users_for_all", "iso-image-files-not-writable", "everybody may write the list of users",
    dockerfile="USER root\nRUN chmod a+w /etc/passwd\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "home_of_roots", "home-and-workdir-writable", "the home belongs to root",
    dockerfile=f"USER root\nRUN chown root:root {HOME} && chmod 0755 {HOME}\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "in_roots_group_by_its_list", "iso-no-identity-of-root", "the list of groups has the user in root's",
    dockerfile=(
        "USER root\nRUN sed -i \"s/^root:x:0:.*/root:x:0:$(getent passwd 1000 | cut -d: -f1)/\" /etc/group"
        "\nUSER 1000"
    ),
)  # fmt: skip
image_sabotage(
    "init_with_set_user_id", "runtime-uid-nonroot", "the init makes root of whoever starts it",
    dockerfile="USER root\nRUN chmod 4755 /usr/bin/tini\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "program_of_another_library", "shared-libraries-resolve", "a program needs a library that is not there",
    dockerfile=(
        "USER root\nRUN sed 's/libc[.]so[.]6/libq.so.9/' /usr/bin/env >/opt/env && chmod +x /opt/env"
        " && ! cmp -s /usr/bin/env /opt/env\nUSER 1000:1000"
    ),
)  # fmt: skip


def _written(directory: Path, *lines: str) -> None:
    """Add lines to the Dockerfile that subject.toml names."""
    path = directory / model.load(directory).image.dockerfile
    path.write_text(path.read_text() + "".join(f"{each}\n" for each in lines))


@subject_sabotage("tool-versions-pinned", "the last step fetches a program by its address alone")
def fetched_at_last(directory: Path) -> None:
    """Whatever is there that day."""
    _written(directory, "RUN curl -fsSL https://example.invalid/x -o /usr/local/bin/x")


@subject_sabotage("ci-reproducible-build", "the last step installs a package of whatever version")
def package_at_last(directory: Path) -> None:
    """Without a version, and after the lock was let go."""
    _written(directory, "RUN apt-get update && apt-get install -y --no-install-recommends jq")


@subject_sabotage(
    "buildkit-and-apt-cache-mounts", "the last step installs and keeps nothing in a cache mount"
)
def without_mounts_at_last(directory: Path) -> None:
    """Each build downloads it again."""
    _written(directory, "RUN apt-get update && apt-get install -y --no-install-recommends jq=1.6-2.1")


@subject_sabotage("no-secret-in-build-args", "the recipe takes a key as its last argument")
def key_as_the_last_argument(directory: Path) -> None:
    """Declare it."""
    _written(directory, "ARG NPM_TOKEN")
