"""Sabotages of the image, by a layer on top, and of what else it is built from and deployed with."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import lowered

image_sabotage(
    "user_root", "image-user-nonroot", "USER root stands last", dockerfile="USER root"
)  # fmt: skip
image_sabotage(
    "user_by_name", "nonroot-user-numeric", "USER is a name, which the kubelet cannot verify",
    dockerfile="USER claude",
)  # fmt: skip


@manifest_sabotage("runtime-uid-nonroot", "the pod runs as uid 0 although the image has a user")
def root_in_the_pod(objects: Objects) -> None:
    """Run the pod as root, and allow it: the namespace too, or there is no pod to look into."""
    lowered(objects)
    spec = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    spec["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}


def _ignored(directory: Path, *gone: str) -> None:
    """Take lines out of the context's ignore file."""
    path = directory / "image" / ".dockerignore"
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{each}\n" for each in lines if each not in gone))


@subject_sabotage("dockerignore-keeps-context-small", "there is no ignore file")
def no_ignore_file(directory: Path) -> None:
    (directory / "image" / ".dockerignore").unlink()


@subject_sabotage("dockerignore-keeps-secrets-out", "the ignore file forgets .env")
def env_not_ignored(directory: Path) -> None:
    _ignored(directory, "**/.env")
    _ignored(directory, "**/*.env")  # which is of .env too
    with (directory / "image" / ".dockerignore").open("a") as file:
        file.write("**/?*.env\n")


@subject_sabotage("dockerignore-keeps-secrets-out", "a kubeconfig is ignored at the top of the tree alone")
def kubeconfig_below(directory: Path) -> None:
    _ignored(directory, "**/.kube")
    with (directory / "image" / ".dockerignore").open("a") as file:
        file.write(".kube\n")


image_sabotage(
    "compiler_in_the_image", "multistage-no-build-tools", "the final stage brings a compiler and its headers",
    dockerfile="USER root\nRUN cp /bin/true /usr/bin/gcc && mkdir -p /usr/include && : > /usr/include/stdio.h"
    "\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "cleaned_in_its_own_run", "apt-cleanup-same-layer",
    "one RUN leaves the package lists, the next removes them",
    dockerfile="USER root\nRUN mkdir -p /var/lib/apt/lists && seq 9000 > /var/lib/apt/lists/main_Packages"
    "\nRUN rm -rf /var/lib/apt/lists/*\nUSER 1000:1000",
)  # fmt: skip


image_sabotage(
    "another_cli", "claude-code-version-pinned", "the CLI in the image is an older one",
    dockerfile="USER root\nRUN printf '#!/bin/sh\\necho \"2.1.62 (Claude Code)\"\\n' > /usr/local/bin/claude"
    "\nUSER 1000:1000",
)  # fmt: skip


image_sabotage(
    "mcp_by_npx", "image-self-sufficient-offline", "the MCP server is fetched when it is started",
    dockerfile="USER root\nRUN jq '.mcpServers[] |= (.command = \"npx\" | .args = [\"-y\","
    " \"kubernetes-mcp-server@latest\"])' /etc/claude-code/managed-mcp.json > /made.json"
    " && mv /made.json /etc/claude-code/managed-mcp.json\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "tool_fetched_at_first_use", "image-self-sufficient-offline", "a tool is fetched when it is first used",
    dockerfile="USER root\nRUN printf '#!/bin/sh\\ncurl -fsSLo /tmp/yq https://example.invalid/yq &&"
    " exec /tmp/yq \"$@\"\\n' > /usr/local/bin/yq\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "user_directory_first", "claude-autoupdate-off", "an update by the user comes before the pinned CLI",
    dockerfile="ENV PATH=/home/claude/.local/bin:$PATH",
)  # fmt: skip
image_sabotage(
    "updater_on", "claude-autoupdate-off", "the auto-updater is not switched off",
    dockerfile="ENV DISABLE_AUTOUPDATER=",
)  # fmt: skip


image_sabotage(
    "another_program_says_the_version", "tool-versions-pinned",
    "a script in the place of a tool says the pinned version and does something else",
    dockerfile="USER root\nRUN said=$(yq --version) && printf '#!/bin/sh\\necho \"%s\"\\n' \"$said\""
    " > /usr/local/bin/yq\nUSER 1000:1000",
)  # fmt: skip


image_sabotage(
    "compiler_out_of_path", "multistage-no-build-tools",
    "a compiler under its full name, in a directory of its own",
    dockerfile="USER root\nRUN mkdir -p /opt/toolchain/bin"
    " && cp /bin/true /opt/toolchain/bin/x86_64-linux-gnu-gcc-12\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "second_root", "image-user-nonroot", "USER is a name that passwd gives the uid 0",
    # copied, not written by a command: it applies to images without a shell, too
    dockerfile="USER 0\nCOPY <<EOF /etc/passwd\nroot:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nEOF\nUSER toor",
)  # fmt: skip
image_sabotage(
    "set_user_id", "runtime-uid-nonroot", "a program is root's and has the set-user-id bit",
    dockerfile="USER root\nRUN cp /usr/bin/env /usr/local/bin/as-root && chmod 4755 /usr/local/bin/as-root"
    "\nUSER 1000:1000",
)  # fmt: skip


@manifest_sabotage("runtime-uid-nonroot", "an init container runs as root")
def root_in_an_init_container(objects: Objects) -> None:
    """Have what runs before the agent be root's, as for a chown."""
    lowered(objects)
    spec = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    spec["initContainers"][0]["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}


@subject_sabotage("dockerignore-keeps-secrets-out", "the ignore file forgets files of variables with a name")
def named_env_not_ignored(directory: Path) -> None:
    _ignored(directory, "**/*.env")


@subject_sabotage("dockerignore-keeps-context-small", "a subject allows itself a context of any size")
def budget_of_any_size(directory: Path) -> None:
    replace_in(directory / "subject.toml", "context_bytes = 1_000_000", "context_bytes = 9_000_000_000")
    (directory / "image" / "rootfs" / "usr" / "local" / "model.bin").write_bytes(bytes(11 << 20))


@subject_sabotage("buildkit-and-apt-cache-mounts", "the documented command has no bound")
def prune_without_bound(directory: Path) -> None:
    replace_in(directory / "subject.toml", ', "--max-used-space", "10gb"]', "]")


@subject_sabotage("buildkit-and-apt-cache-mounts", "the documented command only shows what would be run")
def prune_is_an_echo(directory: Path) -> None:
    replace_in(directory / "subject.toml", 'prune = ["docker"', 'prune = ["echo", "docker"')
    page = directory / "docs" / "running.md"
    replace_in(page, "docker buildx prune --force", "echo docker buildx prune --force")


@subject_sabotage("buildkit-and-apt-cache-mounts", "no document tells what keeps the cache within bounds")
def prune_not_documented(directory: Path) -> None:
    replace_in(directory / "docs" / "running.md", "docker buildx prune --force --max-used-space 10gb", "")


@subject_sabotage("image-self-sufficient-offline", "a program of the box fetches a package when it starts")
def fetched_by_a_program(directory: Path) -> None:
    path = directory / "image" / "rootfs" / "usr" / "local" / "lib" / "box" / "health.py"
    path.write_text(path.read_text() + '\nsubprocess.run(["pip", "install", "requests"], check=True)\n')


image_sabotage(
    "another_system_than_the_tag", "base-tag-pinned", "in the image is another system than the tag says",
    dockerfile=edited("/etc/os-release", r"s/^(VERSION_ID|VERSION_CODENAME)=.*/\1=none/"),
)  # fmt: skip


image_sabotage(
    "cli_not_in_path", "claude-autoupdate-off", "the CLI is not found by its name",
    dockerfile="ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip
image_sabotage(
    "package_nobody_asked_for", "apt-no-install-recommends", "a package that nothing asked for is installed",
    dockerfile="USER root\nRUN printf '\\nPackage: nobody-asked\\nStatus: install ok installed\\n"
    "Version: 1\\nArchitecture: all\\n' >> /var/lib/dpkg/status\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "headers_of_a_library", "multistage-no-build-tools", "the final stage has the headers of one library",
    dockerfile=as_root("mkdir -p /usr/include/openssl", "echo > /usr/include/openssl/ssl.h"),
)  # fmt: skip
image_sabotage(
    "user_directory_first_in_the_entrypoint", "claude-autoupdate-off",
    "the entrypoint has what it starts look into the user's home first",
    dockerfile=edited("/usr/local/bin/entrypoint", r'2i export PATH="$HOME/.local/bin:$PATH"'),
)  # fmt: skip


image_sabotage(
    "downloads_of_npm_deleted_later", "apt-cleanup-same-layer",
    "one RUN leaves what npm has downloaded, the next removes it",
    dockerfile="USER root\nRUN mkdir -p /root/.npm/_cacache/v5 && seq 9000 > /root/.npm/_cacache/v5/a"
    "\nRUN rm -rf /root/.npm\nUSER 1000:1000",
)  # fmt: skip


@subject_sabotage(
    "image-self-sufficient-offline", "the MCP server of the deployed settings is fetched by npx"
)
def deployed_server_by_npx(directory: Path) -> None:
    path = directory / "manifests" / "base" / "configmap.yaml"
    replace_in(path, '"command": "/usr/local/bin/kubernetes-mcp-server",', '"command": "npx",')
    replace_in(path, '"args": ["--read-only"]', '"args": ["-y", "kubernetes-mcp-server@latest"]')


@subject_sabotage(
    "image-self-sufficient-offline", "a step of the recipe adds a server that is fetched at each start"
)
def server_added_by_a_step(directory: Path) -> None:
    added = "RUN claude mcp add --scope user cluster -- npx -y kubernetes-mcp-server@0.0.50 --read-only\n"
    replace_in(directory / "image/Dockerfile", "\nWORKDIR /workspace\n", f"\n{added}WORKDIR /workspace\n")


@subject_sabotage("image-self-sufficient-offline", "a component's init container installs what it needs")
def installed_by_a_component(directory: Path) -> None:
    path = directory / "manifests" / "components" / "config-clone" / "kustomization.yaml"
    command = "[/usr/bin/tini, --, python3, -I, /usr/local/lib/box/config_clone.py]"
    installs = "pip install GitPython && exec python3 -I /usr/local/lib/box/config_clone.py"
    replace_in(path, f"command: {command}", f'command: [/usr/bin/tini, --, sh, -c, "{installs}"]')


image_sabotage(
    "second_cli_of_a_lock_file", "claude-code-version-pinned",
    "a package of npm brings a second CLI along, of another version",
    dockerfile=as_root(
        "mkdir -p /opt/app/node_modules/@anthropic-ai/claude-code",
        "echo '#!/usr/bin/env node' > /opt/app/node_modules/@anthropic-ai/claude-code/cli.js",
    ),
)  # fmt: skip
image_sabotage(
    "second_cli_elsewhere", "claude-code-version-pinned", "another program of its name is in another place",
    dockerfile=as_root("mkdir -p /opt/bin", "echo exit > /opt/bin/claude", "chmod 755 /opt/bin/claude"),
)  # fmt: skip


@subject_sabotage(
    "dockerignore-keeps-secrets-out", "the ignore file knows a kubeconfig by its usual name alone"
)
def kubeconfig_of_another_name(directory: Path) -> None:
    _ignored(directory, "**/*kubeconfig*.y*ml", "**/*-kubeconfig")


@subject_sabotage("dockerignore-keeps-secrets-out", "the ignore file forgets the logins of other programs")
def logins_of_programs_not_ignored(directory: Path) -> None:
    _ignored(directory, "**/.config", "**/.vault-token")


@subject_sabotage("claude-autoupdate-off", "the deployed settings switch the auto-updater on again")
def updater_on_where_it_is_deployed(directory: Path) -> None:
    path = directory / "manifests" / "base" / "configmap.yaml"
    replace_in(path, "  BOX_LOG_LEVEL: info\n", '  BOX_LOG_LEVEL: info\n  DISABLE_AUTOUPDATER: "0"\n')


@subject_sabotage("claude-autoupdate-off", "the Compose file switches the auto-updater on again")
def updater_on_where_it_is_composed(directory: Path) -> None:
    mode = "      CLAUDE_MODE: ${CLAUDE_MODE:-remote-control}\n"
    replace_in(directory / "compose.yaml", mode, f'{mode}      DISABLE_AUTOUPDATER: "0"\n')
