"""Sabotages that leave a secret where it does not belong."""

from __future__ import annotations

from pathlib import Path

from boxproof.proof.sabotages import SabotageError, image_sabotage, subject_sabotage

FAKE = "sk-ant-" + "oat01-" + "x" * 40  # has the shape of a token, and is none


def as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, each in a layer of its own."""
    return "\n".join(["USER root", *(f"RUN {each}" for each in commands), "USER 1000:1000"])


image_sabotage(
    "kubeconfig_copied_and_deleted", "no-secret-in-any-layer", "a kubeconfig is copied in, and deleted later",
    dockerfile=as_root(
        "mkdir -p /root/.kube && echo 'users: []' > /root/.kube/config", "rm -rf /root/.kube"
    ),
)  # fmt: skip
image_sabotage(
    "login_deleted_later", "no-secret-in-any-layer", "a step logs in, and a later one removes what that left",
    dockerfile=as_root(
        f"""echo '{{"claudeAiOauth":{{"accessToken":"{FAKE}"}}}}' > /opt/state.json""", "rm /opt/state.json"
    ),
)  # fmt: skip
image_sabotage(
    "token_in_the_environment", "no-secret-in-any-layer", "a token is a setting of the image",
    dockerfile=f"ENV CLAUDE_CODE_OAUTH_TOKEN={FAKE}",
)  # fmt: skip

PRIVATE, SUBJECT = "image/private.Dockerfile", "subject.toml"
MOUNTED = "--mount=type=secret,id=netrc,required=true"


def replace(path: Path, *edits: tuple[str, str]) -> None:
    """Replace texts in a file; each must be there."""
    text = path.read_text()
    for old, new in edits:
        if old not in text:
            raise SabotageError(f"no {old!r} in {path.name}")
        text = text.replace(old, new)
    path.write_text(text)


@subject_sabotage("no-secret-in-build-args", "the password is a build argument, used once")
def password_as_argument(directory: Path) -> None:
    """Give the password the way everybody did before there were secret mounts."""
    replace(
        directory / PRIVATE,
        (f"RUN {MOUNTED} ", "ARG PASSWORD\nRUN "),
        ("--netrc-file /run/secrets/netrc", '-u "boxproof:${PASSWORD}"'),
    )
    lent, given = '"--secret", "id=netrc,src={netrc}"', '"--build-arg", "PASSWORD={password}"'
    replace(directory / SUBJECT, (lent, given))


@subject_sabotage("no-secret-in-build-args", "one step keeps the netrc file, and a later one deletes it")
def kept_then_deleted(directory: Path) -> None:
    """Copy the secret out of its mount for a while."""
    replace(
        directory / PRIVATE,
        ("USER 1000:1000", "RUN rm -f /root/.netrc\nUSER 1000:1000"),
        ("    curl", "    cp /run/secrets/netrc /root/.netrc && curl"),
    )


@subject_sabotage("secret-mount-works", "the netrc file is copied out of its mount, into the layer")
def mount_copied(directory: Path) -> None:
    """Leave the secret in the image."""
    replace(directory / PRIVATE, ("    curl", "    cp /run/secrets/netrc /root/.netrc && curl"))


@subject_sabotage("secret-mount-works", "a download that fails is no failure of the build")
def failure_ignored(directory: Path) -> None:
    """Let the build go on without its dependency."""
    replace(
        directory / PRIVATE,
        (",required=true", ""),
        ('"${URL}"', '"${URL}" || touch "/usr/local/bin/${NAME}"'),
    )
