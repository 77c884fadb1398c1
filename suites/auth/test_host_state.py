"""The state of the host's own agent stays there: no script mounts it, and no editor's container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.subject.detection import devcontainer
from boxproof.subject.detection.directory import Directory
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.auth import host_state

OF_NO_TEXT = require("no script and no page mounts the state of the host's agent", lambda found: found == [])
OF_NO_EDITOR = require("no development container mounts it", lambda found: found == [])
COLLECTED = (
    'ARGS+=(-v "$HOME/STATE:/home/claude/STATE")\ndocker run "${ARGS[@]}" "$IMAGE"',
    'DIR="${HOME}/STATE"\n$ENGINE run -v "$DIR:/home/claude/STATE" "$IMAGE"',
    "docker run -itv ~/STATE:/home/claude/STATE box",
    "docker run -v ${env:USERPROFILE}\\STATE:/home/claude/STATE box",
    "$(DOCKER) run --mount type=bind,source=$(HOME)/STATE,target=/home/claude/STATE $(IMAGE)",
)
MOUNTED: tuple[dict[str, Any], ...] = (
    {"mounts": ["source=${localEnv:HOME}${localEnv:USERPROFILE}/STATE,target=/home/claude/STATE,type=bind"]},
    {"mounts": [{"type": "bind", "source": "${localEnv:HOME}/STATE", "target": "/home/claude/STATE"}]},
    {"runArgs": ["-v", "${localEnv:HOME}/STATE:/home/claude/STATE"]},
)


@claim("no-cross-platform-credential-share")
@scope("image")
def test_no_script_collects_a_mount_of_the_state(subject: Subject) -> None:
    """Whatever the engine is called there, and wherever its options come from."""
    state = host_state.called(subject)

    def mounted(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("state of the host in texts", asked, host_state.in_texts(texts, state))

    with control("one in a variable, by an engine of any name, of another system, is seen"):
        for each in COLLECTED:
            OF_NO_TEXT.fails(mounted(each, {"doctored.sh": each.replace("STATE", state)}))
    texts = shipped.commands(subject)
    OF_NO_TEXT(mounted(f"{len(texts)} documents and scripts", texts))


@claim("no-cross-platform-credential-share")
@needs("box")
@scope("image")
def test_no_development_container_mounts_the_state(subject: Subject) -> None:
    state = host_state.called(subject)

    def mounted(asked: str, told: Mapping[str, Any]) -> list[str]:
        return observe("state of the host in a container", asked, host_state.in_devcontainer(told, state))

    def doctored(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("STATE", state)
        if isinstance(value, dict):
            return {key: doctored(each) for key, each in value.items()}
        return [doctored(each) for each in value]

    with control("a mount as a line, as a table, and among the options of the engine, is seen"):
        for each in MOUNTED:
            OF_NO_EDITOR.fails(mounted(f"doctored: {sorted(each)}", doctored(each)))
    every = [told for _, told in devcontainer.files(Directory(subject.directory))]
    whole = {key: [each for told in every for each in told.get(key) or ()] for key in ("mounts", "runArgs")}
    OF_NO_EDITOR(mounted(f"{len(every)} files", whole))


OF_NO_NODE = require("no node of a cluster in containers is given it", lambda found: found == [])
GIVEN = (
    "nodes:\n- role: worker\n  extraMounts:\n  - hostPath: /Users/me/STATE\n    containerPath: /state\n",
    'extraMounts:\n  - containerPath: /state\n    hostPath: "${HOME}/STATE"\n',
    "extraMounts: \n  - {hostPath: /home/me, containerPath: /host}\n",
)


@claim("no-cross-platform-credential-share")
@needs("box")
@scope("image")
def test_no_node_is_given_the_state(subject: Subject) -> None:
    """By the configuration of kind, in a file or on a page: to a pod it is a directory of its node's."""
    state = host_state.called(subject)

    def given(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("state of the host on nodes", asked, host_state.in_nodes(texts, state))

    with control("a path, a variable and a whole home are seen"):
        for each in GIVEN:
            OF_NO_NODE.fails(given(each, {"kind.yaml": each.replace("STATE", state)}))
    paths = shipped.files(subject, "*.yaml", "*.yml", "*.yaml.tmpl", "*.j2")
    texts = {str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in paths}
    OF_NO_NODE(given("files, documents and scripts", {**texts, **shipped.commands(subject)}))
