"""Sabotages of recipes in other shapes, and of what builds, scripts, libraries and settings bring along."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.deployment.sabotage_ways import as_root, edited, image_sabotage
from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage

RECIPE = "image/Dockerfile"
LAST = "COPY rootfs/ /\n"  # before this, what a recipe brings more is put
START = "/usr/local/bin/entrypoint"
SUPERVISE = "/usr/local/lib/box/supervise.py"
AT = "https://example.invalid"


def _before_the_last(directory: Path, lines: str) -> None:
    """Put lines into the recipe, where the image has its tools already."""
    replace_in(directory / RECIPE, f"\n{LAST}", f"\n{lines}\n{LAST}")


def _script(directory: Path, name: str, *lines: str) -> None:
    """Have a RUN of the recipe carry out a script of the context."""
    (directory / "image/src" / name).write_text("\n".join(("#!/bin/sh", "set -eu", *lines)) + "\n")
    mount = f"--mount=type=bind,source=src/{name},target=/run/{name}"
    _before_the_last(directory, f"RUN {mount} sh /run/{name}")


@subject_sabotage("tool-versions-pinned", "a checksum is compared, and the RUN goes on where it differs")
def comparison_that_ends_nothing(directory: Path) -> None:
    fetch = f"curl -fsSLo /usr/local/bin/x {AT}/x"
    compare = f"echo '{'a' * 64}  /usr/local/bin/x' | sha256sum -c -"
    _before_the_last(directory, f"RUN {fetch}; {compare}; chmod 755 /usr/local/bin/x")


@subject_sabotage("tool-versions-pinned", "a program is fetched by a here-document of Python")
def fetched_by_a_here_document(directory: Path) -> None:
    fetch = f"urllib.request.urlretrieve('{AT}/x', '/usr/local/bin/x')"
    _before_the_last(directory, f"RUN python3 - <<'EOF'\nimport urllib.request\n{fetch}\nEOF")


@subject_sabotage("tool-versions-pinned", "a script that the recipe carries out fetches a program")
def fetched_by_a_script(directory: Path) -> None:
    _script(
        directory, "get-tools", f"curl -fsSL {AT}/latest/x -o /usr/local/bin/x", "chmod 755 /usr/local/bin/x"
    )


@subject_sabotage("tool-versions-pinned", "packages are installed that nobody has signed")
def packages_without_a_signature(directory: Path) -> None:
    install = "apt-get install -qy --no-install-recommends --allow-unauthenticated x"
    _before_the_last(directory, f"RUN {install}")


@subject_sabotage("ci-reproducible-build", "a script that the recipe carries out brings what an index has")
def index_of_the_day_by_a_script(directory: Path) -> None:
    _script(directory, "get-library", "pip install --break-system-packages --no-cache-dir requests")


@subject_sabotage("claude-code-version-pinned", "a script that the recipe carries out brings a second CLI")
def second_cli_by_a_script(directory: Path) -> None:
    _script(directory, "get-agents", "npm install --global @anthropic-ai/claude-code")


image_sabotage(
    "cli_of_a_library", "claude-code-version-pinned",
    "a library of agents brings a CLI of its own, of another version",
    dockerfile=as_root(
        "mkdir -p /usr/lib/python3/dist-packages/claude_agent_sdk/_bundled",
        "echo exit > /usr/lib/python3/dist-packages/claude_agent_sdk/_bundled/claude",
    ),
)  # fmt: skip
image_sabotage(
    "updater_on_for_the_cli", "claude-autoupdate-off",
    "the entrypoint starts the CLI without the variable that switches the updater off",
    dockerfile=edited(START, "2i unset DISABLE_AUTOUPDATER"),
)  # fmt: skip


@subject_sabotage("claude-autoupdate-off", "a file of deployed settings switches the auto-updater on")
def updater_on_by_settings(directory: Path) -> None:
    before = '      "allowManagedHooksOnly": true,\n'
    more = '      "env": {"DISABLE_AUTOUPDATER": "0"},\n'
    replace_in(directory / "manifests/base/configmap.yaml", before, before + more)


@subject_sabotage(
    "copy-order-keeps-dependency-cache", "the argument of a build stands before the installations"
)
def argument_of_the_build_first(directory: Path) -> None:
    path = directory / RECIPE
    text, count = re.subn(
        r"^(FROM \S+ AS box)$", r"\1\nARG BUILD_NONCE=none", path.read_text(), flags=re.MULTILINE
    )
    if not count:
        raise SabotageError("no stage is called box")
    path.write_text(text)


def _built_by_compose(directory: Path, args: str) -> None:
    """Have the Compose file build the box, with arguments."""
    image = "    image: ${CLAUDE_IMAGE:?say which image, for example CLAUDE_IMAGE=claude-in-a-box:1.0}\n"
    replace_in(directory / "compose.yaml", image, f"{image}    build: {{context: image, args: {args}}}\n")


@subject_sabotage("base-tag-pinned", "the Compose file builds on what is latest, by an argument")
def latest_by_an_argument(directory: Path) -> None:
    _built_by_compose(directory, "{BASE_IMAGE: 'ubuntu:latest'}")


@subject_sabotage("base-digest-pinned", "the Compose file names the base by its tag alone, by an argument")
def tag_alone_by_an_argument(directory: Path) -> None:
    _built_by_compose(directory, "['BASE_IMAGE=ubuntu:24.04']")


@subject_sabotage("image-user-nonroot", "the Compose file has the box built for root, by an argument")
def root_by_an_argument(directory: Path) -> None:
    replace_in(directory / RECIPE, "USER 1000:1000", "ARG BOX_UID=1000\nUSER ${BOX_UID}:${BOX_UID}")
    _built_by_compose(directory, "{BOX_UID: 0}")


@subject_sabotage(
    "image-self-sufficient-offline", "the deployed MCP server is an image that is run each time"
)
def deployed_server_by_an_image(directory: Path) -> None:
    path = directory / "manifests/base/configmap.yaml"
    replace_in(path, '"command": "/usr/local/bin/kubernetes-mcp-server",', '"command": "docker",')
    replace_in(path, '"args": ["--read-only"]', '"args": ["run", "-i", "--rm", "example.invalid/mcp:1"]')


@subject_sabotage("image-self-sufficient-offline", "a component's init container installs a package, quietly")
def package_by_a_component(directory: Path) -> None:
    path = directory / "manifests/components/config-clone/kustomization.yaml"
    command = "[/usr/bin/tini, --, python3, -I, /usr/local/lib/box/config_clone.py]"
    installs = "apt-get -qq update && apt-get -qq -y install git && exec python3 -I /x.py"
    replace_in(path, f"command: {command}", f'command: [/usr/bin/tini, --, sh, -c, "{installs}"]')


@subject_sabotage("image-self-sufficient-offline", "a program of the box is fetched when it starts")
def program_fetched_at_its_start(directory: Path) -> None:
    path = directory / "image/rootfs/usr/local/bin/box-limits"
    fetch = f"command -v yq >/dev/null || {{ curl -fsSLo /tmp/yq {AT}/yq && chmod +x /tmp/yq; }}"
    replace_in(path, "#!/bin/sh\n", f"#!/bin/sh\n{fetch}\n")


image_sabotage(
    "package_put_down", "apt-cleanup-same-layer", "a package that was fetched by hand stays in its layer",
    dockerfile="USER root\nRUN seq 9000 > /tmp/tool_1.2_amd64.deb\nRUN rm /tmp/tool_1.2_amd64.deb"
    "\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "cache_of_npm_elsewhere", "apt-cleanup-same-layer", "npm keeps its downloads in another place",
    dockerfile=as_root(
        "mkdir -p /opt/npm-cache/_cacache/content-v2/sha512",
        "seq 9000 > /opt/npm-cache/_cacache/content-v2/sha512/a",
    ),
)  # fmt: skip
image_sabotage(
    "compiler_of_a_library", "multistage-no-build-tools", "a package of Python is a compiler",
    dockerfile=as_root(
        "mkdir -p /usr/lib/python3/dist-packages/ziglang",
        "head -c 200000 /dev/urandom > /usr/lib/python3/dist-packages/ziglang/zig",
    ),
)  # fmt: skip


SERVER = '{"type": "stdio", "command": "/usr/local/bin/kubernetes-mcp-server", "args": []}'


@subject_sabotage("mcp-read-only-enforced", "a component brings the server's settings without --read-only")
def may_write_in_another_tier(directory: Path) -> None:
    patch = f"""\
  - patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: claude-mcp
      data:
        mcp.json: |
          {{"mcpServers": {{"kubernetes": {SERVER}}}}}
"""
    replace_in(
        directory / "manifests/components/kubeconfig/kustomization.yaml", "patches:\n", f"patches:\n{patch}"
    )


@subject_sabotage("ptrace-tier-not-sysadmin", "the pod of the backup adds SYS_ADMIN, in small letters")
def sysadmin_in_small_letters(directory: Path) -> None:
    path = directory / "manifests/backup/pod.yaml"
    replace_in(path, "          drop: [ALL]\n", "          drop: [ALL]\n          add: [sys_admin]\n")


@subject_sabotage("ptrace-tier-not-sysadmin", "a page has strace run in a container with all rights")
def strace_with_all_rights(directory: Path) -> None:
    command = (
        "kubectl -n claude debug -it claude-agent-0 --image=IMAGE --target=claude \\\n    --profile=sysadmin"
    )
    page = directory / "docs/debugging.md"
    page.write_text(f"{page.read_text()}\n```\n{command} -- strace -f -p 1\n```\n")


image_sabotage(
    "words_lost_by_waiting", "args-pass-through", "a box that waits for a login forgets its words meanwhile",
    dockerfile=edited(START, "s/^    wait=--wait-for-login$/&; set --/"),
)  # fmt: skip
image_sabotage(
    "shell_after_waiting", "sigterm-graceful-5s",
    "once somebody has logged in a shell starts the CLI, and takes TERM for itself",
    dockerfile=edited(
        SUPERVISE, r's/^        wait_for_login\(\)/&\n        os.execvp("sh", ["sh", "-c", "claude; exit"])/'
    ),
)  # fmt: skip


@subject_sabotage("zombies-reaped", "with the engine's socket Compose starts the box without its init")
def no_init_with_the_socket(directory: Path) -> None:
    more = f'    entrypoint: ["{START}"]\n'
    replace_in(directory / "compose.docker.yaml", "    group_add:", f"{more}    group_add:")


@subject_sabotage("tool-versions-pinned", "a stage keeps a download for the one that begins with it")
def fetched_for_the_next_stage(directory: Path) -> None:
    path = directory / RECIPE
    lines = (
        f"FROM ${{BASE_IMAGE}} AS kept\nONBUILD RUN curl -fsSLo /usr/local/bin/x {AT}/x\n\nFROM kept AS box"
    )
    text, count = re.subn(r"^FROM \S+ AS box$", lines, path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SabotageError("no stage is called box")
    path.write_text(text)
