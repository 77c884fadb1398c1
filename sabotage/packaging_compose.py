"""Sabotages of what is started without a cluster: Compose files, their overlays, the socket, commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pytest_claims.sabotages import replace_in, subject_sabotage


def _service(directory: Path) -> tuple[Path, dict[str, Any]]:
    """Return the Compose file and its content."""
    path = directory / "compose.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return path, content


@subject_sabotage("compose-runs-nonroot-and-persists", "the service runs as root")
def compose_as_root(directory: Path) -> None:
    path = directory / "compose.yaml"
    replace_in(path, 'user: "1000:1000"', 'user: "0"')
    # without it root writes to nothing of the user's, and there is no running service to look into
    drop = "    cap_drop: [ALL]\n"
    replace_in(path, drop, f"{drop}    cap_add: [DAC_OVERRIDE]\n")


@subject_sabotage("compose-runs-nonroot-and-persists", "the login is on no volume")
def compose_without_volume(directory: Path) -> None:
    path, content = _service(directory)
    del content["services"]["claude"]["volumes"]
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("docker-socket-opt-in", "the socket is mounted by default")
def socket_by_default(directory: Path) -> None:
    path, content = _service(directory)
    mount = "${DOCKER_SOCKET}:/var/run/docker.sock"
    content["services"]["claude"]["volumes"].append(mount)
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("docker-socket-opt-in", "who opts in is not in the socket's group")
def socket_without_group(directory: Path) -> None:
    path = directory / "compose.docker.yaml"
    lines = [each for each in path.read_text().splitlines() if "group_add" not in each]
    path.write_text("\n".join(lines))


@subject_sabotage("docker-socket-opt-in", "nobody is told what the socket is worth")
def socket_without_warning(directory: Path) -> None:
    path = directory / "docs/installing.md"
    kept = [each for each in path.read_text().split("\n\n") if "socket" not in each]
    path.write_text("\n\n".join(kept))


@subject_sabotage("compose-service-names-resolve", "the service is on the engine's default bridge")
def on_the_default_bridge(directory: Path) -> None:
    path, content = _service(directory)
    content["services"]["claude"]["network_mode"] = "bridge"
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("compose-runs-nonroot-and-persists", "a second service comes up beside the agent")
def compose_with_a_helper(directory: Path) -> None:
    path, content = _service(directory)
    content["services"]["watch"] = dict(content["services"]["claude"], volumes=[])
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("docker-socket-opt-in", "the directory of the socket is mounted by default")
def directory_of_the_socket(directory: Path) -> None:
    path, content = _service(directory)
    content["services"]["claude"]["volumes"].append("/var/run:/host/run:ro")
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("docker-socket-opt-in", "a tier mounts the directory of the node's runtime")
def socket_of_the_node(directory: Path) -> None:
    old = (
        "      - op: add\n        path: /spec/template/spec/containers/0/securityContext/capabilities/add/-\n"
    )
    volume = "        value: {name: node, hostPath: {path: /run/containerd}}\n"
    operation = f"      - op: add\n        path: /spec/template/spec/volumes/-\n{volume}"
    replace_in(directory / "manifests/components/ptrace/kustomization.yaml", old, operation + old)


@subject_sabotage("compose-runs-nonroot-and-persists", "the login is in a directory of the machine")
def compose_on_a_directory(directory: Path) -> None:
    (directory / "login").mkdir()
    (directory / "login").chmod(0o777)  # as the service's user may write to it
    path, content = _service(directory)
    content["services"]["claude"]["volumes"] = ["./login:/home/claude/.claude"]
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("iso-held-without-a-cluster", "the Compose file lets the service gain privileges")
def privileges_composed(directory: Path) -> None:
    replace_in(directory / "compose.yaml", '    security_opt: ["no-new-privileges:true"]\n', "")


@subject_sabotage("iso-held-without-a-cluster", "the service with the engine's socket is privileged")
def privileged_with_socket(directory: Path) -> None:
    replace_in(directory / "compose.docker.yaml", "  claude:\n", "  claude:\n    privileged: true\n")


@subject_sabotage("iso-held-without-a-cluster", "with the engine's socket the service may gain privileges")
def privileges_taken_back(directory: Path) -> None:
    option = '    security_opt: ["no-new-privileges=false"]\n'
    replace_in(directory / "compose.docker.yaml", "  claude:\n", f"  claude:\n{option}")


@subject_sabotage("iso-held-without-a-cluster", "with the engine's socket the service keeps its capabilities")
def capabilities_reset(directory: Path) -> None:
    replace_in(directory / "compose.docker.yaml", "  claude:\n", "  claude:\n    cap_drop: !reset []\n")


@subject_sabotage(
    "compose-runs-nonroot-and-persists", "a file that Compose takes by itself has the service run as root"
)
def root_by_an_override(directory: Path) -> None:
    (directory / "compose.override.yaml").write_text('services:\n  claude:\n    user: "0:0"\n')


@subject_sabotage(
    "compose-runs-nonroot-and-persists", "a file that Compose takes by itself starts a second service"
)
def helper_by_an_override(directory: Path) -> None:
    text = "services:\n  watch:\n    image: claude-in-a-box:1.0\n    command: [sleep, infinity]\n"
    (directory / "compose.override.yaml").write_text(text)


@subject_sabotage(
    "docker-socket-opt-in", "a file that Compose takes by itself asks it for the engine's socket"
)
def socket_by_an_override(directory: Path) -> None:
    text = "services:\n  claude:\n    use_api_socket: true\n"
    (directory / "compose.override.yaml").write_text(text)


@subject_sabotage("docker-socket-opt-in", "a volume with a name is the directory of the engine's socket")
def socket_by_a_named_volume(directory: Path) -> None:
    path, content = _service(directory)
    content["services"]["claude"]["volumes"].append("run:/host/run:ro")
    content["volumes"]["run"] = {"driver_opts": {"type": "none", "o": "bind", "device": "/var/run"}}
    path.write_text(yaml.safe_dump(content))


@subject_sabotage("docker-socket-opt-in", "an editor makes a container of the box with the engine's socket")
def socket_for_development(directory: Path) -> None:
    (directory / ".devcontainer").mkdir()
    mount = "source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind"
    text = f'{{"build": {{"dockerfile": "../image/Dockerfile"}}, "mounts": ["{mount}"]}}\n'
    (directory / ".devcontainer" / "devcontainer.json").write_text(text)


@subject_sabotage(
    "compose-runs-nonroot-and-persists", "a file that Compose takes by itself has the login in memory"
)
def login_in_memory_by_an_override(directory: Path) -> None:
    text = "services:\n  claude:\n    tmpfs: [/home/claude/.claude]\n"
    (directory / "compose.override.yaml").write_text(text)


@subject_sabotage(
    "compose-runs-nonroot-and-persists", "a file of variables has Compose start a second service"
)
def helper_by_a_file_of_variables(directory: Path) -> None:
    text = "services:\n  watch:\n    image: claude-in-a-box:1.0\n    command: [sleep, infinity]\n"
    (directory / "compose.watch.yaml").write_text(text)
    (directory / ".env").write_text("COMPOSE_FILE=compose.yaml:compose.watch.yaml\n")


@subject_sabotage("compose-runs-nonroot-and-persists", "the box is root's under the name of another service")
def root_by_another_name(directory: Path) -> None:
    text = (
        "services:\n  debug:\n    extends: {file: compose.yaml, service: claude}\n"
        "    user: root\n    profiles: [debug]\n"
    )
    (directory / "compose.debug.yaml").write_text(text)


@subject_sabotage("compose-runs-nonroot-and-persists", "a command of root's is carried out at its start")
def hook_of_roots(directory: Path) -> None:
    text = "services:\n  claude:\n    post_start:\n      - {command: chown 1000 /workspace, user: root}\n"
    (directory / "compose.override.yaml").write_text(text)


@subject_sabotage(
    "compose-runs-nonroot-and-persists", "a file that Compose takes by itself makes the volume memory"
)
def volume_in_memory_by_an_override(directory: Path) -> None:
    service = 'services:\n  claude:\n    labels: {of: "mine"}\n'
    told = "driver_opts: {type: tmpfs, device: tmpfs}"
    (directory / "compose.override.yaml").write_text(f"{service}volumes:\n  home:\n    {told}\n")


@subject_sabotage("iso-held-without-a-cluster", "a service of the box by another name is privileged")
def privileged_by_another_name(directory: Path) -> None:
    text = (
        "services:\n  debug:\n    extends: {file: compose.yaml, service: claude}\n"
        "    privileged: true\n    profiles: [debug]\n"
    )
    (directory / "compose.debug.yaml").write_text(text)


@subject_sabotage("iso-held-without-a-cluster", "a privileged command is carried out at its start")
def privileged_hook(directory: Path) -> None:
    text = "services:\n  claude:\n    post_start:\n      - {command: sysctl -w a=1, privileged: true}\n"
    (directory / "compose.tuned.yaml").write_text(text)


@subject_sabotage("iso-held-without-a-cluster", "a Compose file gives the service all graphics processors")
def graphics_processors(directory: Path) -> None:
    (directory / "compose.gpu.yaml").write_text("services:\n  claude:\n    gpus: all\n")


@subject_sabotage("iso-held-without-a-cluster", "a Compose file reserves a device of the machine")
def reserved_device(directory: Path) -> None:
    device = "{driver: nvidia, count: 1, capabilities: [gpu]}"
    text = f"services:\n  claude:\n    deploy: {{resources: {{reservations: {{devices: [{device}]}}}}}}\n"
    (directory / "compose.reserved.yaml").write_text(text)


@subject_sabotage("mode-dispatch", "by Compose another mode stands in for one that nobody names")
def another_mode_by_compose(directory: Path) -> None:
    replace_in(directory / "compose.yaml", "${CLAUDE_MODE:-remote-control}", "${CLAUDE_MODE:-api}")


@subject_sabotage("structured-leveled-logs", "the Compose file has the box log at debug")
def debug_by_compose(directory: Path) -> None:
    mode = "      CLAUDE_MODE: ${CLAUDE_MODE:-remote-control}\n"
    level = "      BOX_LOG_LEVEL: ${BOX_LOG_LEVEL:-debug}\n"
    replace_in(directory / "compose.yaml", mode, f"{mode}{level}")
