"""What a directory shows of boxes in other shapes: a matrix of Bake, an image of Nix, parts beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import bake, signs
from tests.subject.test_detection import TEMPLATE, chart, workload, write

MATRIX = """
variable "ONE" { default = "1.2" }
target "agents" {
  dockerfile = "Dockerfile.agents"
  matrix = {
    agent = ["second", "first"]
    item = [
      { major = "3", more = ["x"] },
      { major = "4", more = [] },
    ]
  }
  name = "${agent}-${item.major}"
  target = agent
  args = {
    ONE = ONE
    MAJOR = item.major
  }
}
group "default" { targets = ["agents"] }
"""
STAGES = "FROM a:1 AS first\nUSER 1\nFROM a:1 AS second\nUSER 2\nFROM a:1 AS last\nUSER 3\n"


def test_of_a_matrix_of_bake_it_is_the_first_combination(tmp_path: Path) -> None:
    found = signs.detect(write(tmp_path, **{"docker-bake.hcl": MATRIX, "Dockerfile.agents": STAGES}))
    wanted = {"image.target": "second", "image.args": {"ONE": "1.2", "MAJOR": "3"}, "uid": 2}
    assert {name: found.get(name) for name in wanted} == wanted


def test_each_combination_of_a_matrix_is_a_target() -> None:
    made = bake.targets(".hcl", MATRIX)
    assert [name for name, _ in made] == ["agents", "second-4", "first-3", "first-4"]
    assert [each["args"]["MAJOR"] for _, each in made] == ["3", "4", "3", "4"]
    inline = 'target "a" {\n  matrix = { x = ["1"], y = ["2", "3"] }\n  target = "${x}-${y}"\n}\n'
    assert [each["target"] for _, each in bake.targets(".hcl", inline)] == ["1-2", "1-3"]


@pytest.mark.parametrize(
    ("lines", "uid", "home"),
    [
        ('ARG UID=1000\nRUN useradd -u "${UID}" -m dev\nUSER ${UID}:${UID}', 1000, "/home/dev"),
        ("ARG NAME=dev\nRUN useradd -m --uid='1001' \"$NAME\"\nUSER $NAME", 1001, "/home/dev"),
        ("RUN useradd -u 1003 -m dev\nRUN su - dev -c 'x --last'\nUSER 1003", 1003, "/home/dev"),
        ("RUN useradd -u 1002 -m dev 2>/dev/null || true\nUSER dev", 1002, "/home/dev"),
    ],
)
def test_a_user_is_found_whatever_quotes_and_redirections_are_around_it(
    tmp_path: Path, lines: str, uid: int, home: str
) -> None:
    found = signs.detect(write(tmp_path, Dockerfile=f"FROM debian:12\n{lines}\n"))
    assert (found.get("uid"), found.get("home")) == (uid, home)


@pytest.mark.parametrize(
    ("volumes", "kept"),
    [
        ('"work:/home/a/workspace", "~/.codex:/home/a/.codex:ro"', "/home/a/.codex"),
        ('"${AGENT_HOME:-$HOME/x}/.claude:/home/a/.claude/"', "/home/a/.claude"),
        ('"~/.ssh:/root/.ssh", "~/.claude.json:/root/.claude.json", "~/.config/gh:/root/.config/gh"', None),
        ('"~/.config/goose:/root/.config/goose"', "/root/.config/goose"),
        ("{type: tmpfs, target: /root/.claude}", None),
        ('"repo:/srv/repo", "modules:/app/node_modules"', None),
        ('"work:/workspace", "data:/data"', "/data"),
        ('"sock:/run/engine", "scratch:/tmp", "images:/var/lib/docker"', None),
        ('"sock:/var/run", "data:/data"', "/data"),
        ('"state:/tmp/home/.claude"', "/tmp/home/.claude"),
        ('"state:/runner"', "/runner"),
    ],
)
def test_a_service_keeps_its_state_where_a_cli_does_and_never_where_the_work_is(
    tmp_path: Path, volumes: str, kept: str | None
) -> None:
    text = f"services: {{agent: {{image: 'a:1', volumes: [{volumes}]}}}}\n"
    assert signs.detect(write(tmp_path, **{"compose.yaml": text})).get("config_dir") == kept


@pytest.mark.parametrize(
    ("place", "kept"), [("/run/engine", None), ("/tmp/cache", None), ("/run/a/.claude", "/run/a/.claude")]
)
def test_what_ends_with_the_start_is_no_state_of_a_workload(
    tmp_path: Path, place: str, kept: str | None
) -> None:
    chart(tmp_path, TEMPLATE.replace("mountPath: /var/lib/agent", f"mountPath: {place}"))
    assert signs.detect(tmp_path).get("config_dir") == kept


@pytest.mark.parametrize("variable", ["CODEX_HOME", "OPENCODE_CONFIG_DIR"])
def test_the_variable_of_another_cli_says_where_its_state_is(tmp_path: Path, variable: str) -> None:
    found = signs.detect(write(tmp_path, Dockerfile=f"FROM a:1\nENV {variable}=/data\n"))
    assert found.get("config_dir") == "/data"


PART = "services: {more: {build: ., volumes: ['data:/data']}}\n"


@pytest.mark.parametrize(
    ("files", "recipe", "composed"),
    [
        ({"more/x/compose.yaml": PART, "more/x/Dockerfile": "FROM b:1\n"}, "Dockerfile", None),
        ({"deploy/compose.yaml": PART.replace("build: .", "build: ..")}, "Dockerfile", "deploy/compose.yaml"),
        ({"deploy/compose.yaml": PART}, "Dockerfile", "deploy/compose.yaml"),
        ({"compose.yaml": PART.replace("build: .", "build: more"), "more/Dockerfile": "FROM b:1\n"},
         "more/Dockerfile", "compose.yaml"),
        ({"x/compose.yaml": PART, "x/Dockerfile": "FROM b:1\n", "compose.yaml": PART},
         "Dockerfile", "compose.yaml"),
    ],
)  # fmt: skip
def test_the_compose_file_of_a_part_says_nothing_of_the_box(
    tmp_path: Path, files: dict[str, str], recipe: str, composed: str | None
) -> None:
    found = signs.detect(write(tmp_path, Dockerfile="FROM a:1\n", **files))
    assert (found.get("image.dockerfile"), found.get("compose.file")) == (recipe, composed)
    left = [each for each in found.remarks if "left out" in each]
    assert bool(left) is (composed is None)


OTHERS = "services: {agent: {image: 'other:1', volumes: ['state:/root/.goose', '~/.ssh:/root/.ssh:ro']}}\n"
OWN_USER = "FROM debian:12\nRUN useradd -m -u 1000 dev\nUSER dev\n"


@pytest.mark.parametrize(
    ("path", "text", "recipe", "composed"),
    [
        ("docs/compose.yaml", OTHERS, OWN_USER, False),
        ("docs/compose.yaml", OTHERS.replace("/root/", "/home/other/"), OWN_USER, False),
        ("docs/compose.yaml", OTHERS.replace("/root/", "/home/dev/"), OWN_USER, True),
        ("docs/compose.yaml", OTHERS, "FROM debian:12\n", True),
        ("docs/compose.yaml", OTHERS.replace("image:", "user: root, image:"), OWN_USER, True),
        ("docs/compose.yaml", OTHERS.replace("image:", "environment: [HOME=/root], image:"), OWN_USER, True),
        ("docs/compose.yaml", OTHERS.replace("image: 'other:1'", "build: .."), OWN_USER, True),
        ("compose.yaml", OTHERS, OWN_USER, True),
    ],
)
def test_a_compose_file_with_the_home_of_another_user_is_of_another_image(
    tmp_path: Path, path: str, text: str, recipe: str, composed: bool
) -> None:
    found = signs.detect(write(tmp_path, Dockerfile=recipe, **{path: text}))
    assert (found.get("compose.file") == path, bool(found.get("config_dir"))) == (composed, composed)
    assert any("left out" in each for each in found.remarks) is not composed


def test_a_compose_file_of_another_name_is_one_that_builds_a_service(tmp_path: Path) -> None:
    files = {
        "stacks/01-net.yaml": "services:\n  proxy: {image: 'traefik:3'}\n",
        "stacks/02-agent.yaml": "services:\n  agent: {build: ., volumes: ['./c:/root/.claude']}\n",
        "settings.yaml": "services:\n  - a\n",
        "chart/Chart.yaml": "name: a\n",
        "chart/values.yaml": "services:\n  a: {build: true}\n",
    }
    found = signs.detect(write(tmp_path, **files))
    wanted = {
        "compose.file": "stacks/02-agent.yaml", "compose.service": "agent", "config_dir": "/root/.claude",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    write(tmp_path, **{"compose.yaml": "services: {one: {image: 'a:1'}}\n"})
    assert signs.detect(tmp_path).get("compose.file") == "compose.yaml"


def test_of_helpers_by_name_the_agent_is_one_that_runs_no_helpers_image(tmp_path: Path) -> None:
    files = {
        "k/a.yaml": workload("ntfy", "docker.io/acme/ntfy:2"),
        "k/b.yaml": workload("issue-controller", "acme/coder:1", kind="CronJob"),
    }
    assert signs.detect(write(tmp_path, **files)).get("workload") == "issue-controller"


OPEN = "ARG BASE\nFROM ${BASE}\n"


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"d/Dockerfile.overlay": OPEN, "d/x/Dockerfile": "FROM a:1\n"}, "d/x/Dockerfile"),
        ({"d/Dockerfile.overlay": OPEN,
          "d/Dockerfile.template": "ARG BASE=a:1\nFROM ${BASE}\n"}, "d/Dockerfile.template"),
        ({"d/Dockerfile.template": "FROM {{ base }}\n", "d/x/Dockerfile": "FROM a:1\n"}, "d/x/Dockerfile"),
        ({"d/Dockerfile.overlay": OPEN}, "d/Dockerfile.overlay"),
    ],
)  # fmt: skip
def test_a_recipe_on_whatever_base_comes_after_one_that_says_it(
    tmp_path: Path, files: dict[str, str], chosen: str
) -> None:
    assert signs.detect(write(tmp_path, **files)).get("image.dockerfile") == chosen


DIGEST = f"sha256:{'a' * 64}"
VALUES = "image: {repository: ghcr.io/acme/coder, tag: '2.1'}\n"


@pytest.mark.parametrize(
    ("values", "recipe", "reference"),
    [
        (VALUES, "", "ghcr.io/acme/coder:2.1"),
        ("image: {registry: ghcr.io, repository: acme/coder}\n", "", "ghcr.io/acme/coder:0.9"),
        (f"image: {{repository: acme/coder, digest: '{DIGEST}'}}\n", "", f"acme/coder@{DIGEST}"),
        ("image: acme/coder:3\n", "", "acme/coder:3"),
        ("image: {repository: ''}\n", "", None),
        (VALUES, "gate/Dockerfile", "ghcr.io/acme/coder:2.1"),
        (VALUES, "Dockerfile", None),
        (VALUES, "docker/Dockerfile", None),
        (VALUES, "images/coder/Dockerfile", None),
        (VALUES.replace("ghcr.io/acme/", ""), "gate/Dockerfile", None),
    ],
)  # fmt: skip
def test_the_image_of_a_charts_values_is_the_boxs_where_no_recipe_of_its_own_is_here(
    tmp_path: Path, values: str, recipe: str, reference: str | None
) -> None:
    chart(tmp_path, TEMPLATE)
    write(tmp_path, **{"chart/values.yaml": values, "chart/Chart.yaml": "name: a\nappVersion: '0.9'\n"})
    found = signs.detect(write(tmp_path, **({recipe: "FROM acme/x:1\n"} if recipe else {})))
    assert found.get("image.reference") == reference
    own = recipe if reference is None and recipe else None
    assert found.get("image.dockerfile") == own
    assert bool([each for each in found.remarks if each.startswith("uid:")]) is (own is not None)


NIX = """{ pkgs }: let version = "0.5"; in {
  image = pkgs.dockerTools.buildLayeredImage {
    contents = [ (pkgs.buildEnv { name = "root"; }) ];
    name = "agent";
    tag = "v${version}";
    config = {
      Cmd = [ "agent" ];
      WorkingDir = "/app";
    };
  };
}
"""


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (NIX, "agent:v0.5"),
        (NIX.replace('    tag = "v${version}";\n', ""), None),
        (NIX.replace('"agent";', '"${which}";'), None),
        ('{ x = "dockerTools"; }\n', None),
    ],
)
def test_an_image_of_nix_is_named_as_it_is_loaded(tmp_path: Path, text: str, reference: str | None) -> None:
    found = signs.detect(write(tmp_path, **{"flake.nix": text}))
    assert found.get("image.reference") == reference
    assert found.get("workdir") == ("/app" if reference else None)
    write(tmp_path, Dockerfile="FROM a:1\n")
    assert signs.detect(tmp_path).get("image.reference") is None


@pytest.mark.parametrize(
    ("files", "reference"),
    [
        ({"flake.nix": NIX.replace('"agent";', '"ghcr.io/acme/box-operator";', 1)}, None),
        ({"operator/image.nix": NIX}, None),
        ({"nix/operator.nix": NIX.replace('"agent";', '"manager";', 1)}, None),
        ({"a.nix": NIX.replace('"agent";', '"egress-proxy";', 1), "b.nix": NIX}, "agent:v0.5"),
        ({"flake.nix": NIX.replace('"agent";', '"issue-controller";', 1)}, "issue-controller:v0.5"),
    ],
)
def test_an_operators_image_of_nix_is_not_the_agents(
    tmp_path: Path, files: dict[str, str], reference: str | None
) -> None:
    found = signs.detect(write(tmp_path / "issue-controller", **files))
    assert found.get("image.reference") == reference
    others = [each for each in found.remarks if each.endswith("by its name one beside the agent: left out")]
    assert len(others) == (reference != "issue-controller:v0.5")


@pytest.mark.parametrize(
    ("more", "is_told"),
    [
        ("RUN useradd -m -u 1234 dev\nUSER dev\n", True),
        ("RUN useradd -m -u 1234 dev\nUSER dev\nENV CLAUDE_CONFIG_DIR=/state\n", False),
        ("USER somebody\n", False),  # whose home nobody knows
    ],
)
def test_where_claude_code_keeps_its_state_is_told_where_nothing_names_it(
    tmp_path: Path, more: str, is_told: bool
) -> None:
    recipe = f"FROM ghcr.io/x/base:1\nRUN npm install -g @anthropic-ai/claude-code@2.0.0\n{more}"
    found = signs.detect(write(tmp_path, Dockerfile=recipe))
    told = [each for each in found.remarks if each.startswith("config_dir:")]
    assert bool(told) is is_told
    assert not told or '"/home/dev/.claude"' in told[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('ARGS+=("-v" "$CONF:/home/node/.codex:ro")', True),
        ('docker run -v "$HOME/.claude":"/home/dev/.claude" a', True),
        ("podman run --mount type=volume,source=x,target=/root/.gemini,z a", True),
        ("docker run -v x:/work -v y:/home/dev/.npm a", False),
        ('docker run -v "$CONF:/home/$USER/.claude" a', False),
        ("cp a /home/dev/.claude", False),
    ],
)
def test_a_script_that_mounts_the_state_is_told(tmp_path: Path, line: str, told: bool) -> None:
    found = signs.detect(write(tmp_path, Dockerfile="FROM a:1\n", **{"run.sh": f"#!/bin/sh\n{line}\n"}))
    assert any(each.startswith("config_dir: run.sh") for each in found.remarks) == told


@pytest.mark.parametrize(
    ("name", "service", "told"),
    [
        ("compose.privileged.yaml", "privileged: true", "privileged: true"),
        ("docker-compose.debug.yml", "cap_add: [SYS_PTRACE]", "cap_add: ['SYS_PTRACE']"),
        ("compose.host.yaml", "{network_mode: host, pid: host}", "network_mode: host, pid: host"),
        ("compose.dev.yaml", "security_opt: ['seccomp:unconfined']", "seccomp:unconfined"),
        ("compose.docker.yaml", "volumes: ['/var/run/docker.sock:/s']", "socket (/var/run/docker.sock)"),
        ("compose.more.yaml", "{privileged: false, security_opt: ['no-new-privileges:true']}", ""),
        ("elsewhere/compose.yaml", "privileged: true", ""),
    ],
)
def test_a_compose_file_beside_the_first_that_frees_a_service_is_told(
    tmp_path: Path, name: str, service: str, told: str
) -> None:
    first = "services:\n  agent: {image: 'example/agent:1', cap_drop: [ALL]}\n"
    service = service if service.startswith("{") else f"{{{service}}}"
    found = signs.detect(write(tmp_path, **{"compose.yaml": first, name: f"services:\n  agent: {service}\n"}))
    remarks = [each for each in found.remarks if each.startswith(f"compose.file: {name}, services.agent has")]
    assert [told in each for each in remarks] == ([True] if told else [])


def test_a_service_of_the_first_file_that_is_freed_is_told(tmp_path: Path) -> None:
    text = "services:\n  agent: {image: 'a:1', privileged: true, volumes: ['/var/run/docker.sock:/s']}\n"
    found = signs.detect(write(tmp_path, **{"compose.yaml": text}))
    (told,) = [each for each in found.remarks if "services.agent has privileged" in each]
    assert "socket" not in told
