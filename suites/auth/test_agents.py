"""Whose login it is: one agent's, from its own volume and its own Secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.agent.login import FILE, PROMPT
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
OF_PROCESSES = f"cat /proc/[0-9]*/environ | tr '\\0' '\\n' | sed -n 's/^{VARIABLE}=//p' | sort -u"
EXAMPLE_PODS = [{"volumes": [{"name": "home", "hostPath": {"path": "/Users/me/.claude"}}]}]
EXAMPLE_SERVICES = [{"volumes": ["~/.claude:/home/claude/.claude", "claude:/home/claude/.claude"]}]
ADDRESS = re.compile(r"https://([\w.]+)/\S*oauth/authorize\?\S+code_challenge=")
# a program that may wait for ever once it has said it; the looks are counted, not their seconds
UNTIL_ADDRESS = """
said=$(mktemp); "$@" >"$said" 2>&1 </dev/null & program=$! looks=0
while kill -0 $program 2>/dev/null && [ $looks -lt 200 ] && ! grep -q code_challenge= "$said"
do sleep 0.3; looks=$((looks + 1)); done
kill -KILL $program 2>/dev/null; wait; cat "$said"; rm "$said"
"""
HOMES = re.compile(r"^(~|\$\{?HOME\b|/root\b|/home/|/Users/)")


def tokens(box: Box) -> tuple[str, ...]:
    """Return the tokens in the environments of the box's processes; an observation."""
    found = tuple(box.exec(["sh", "-c", OF_PROCESSES]).stdout.split())
    return observe("tokens of the processes", box.label, found)


@claim("rotated-token-picked-up")
def test_a_new_token_in_the_secret_is_used_after_a_restart(
    make_box: MakeBox, kube: Kube, stub: Stub, subject: Subject, token: str
) -> None:
    box = make_box()
    old, secret, data = box.pod_object(), box.object("Secret")["metadata"], base64.b64encode(token.encode())
    kube.patch(kube.path("Secret", secret["name"], box.namespace), {"data": {"token": data.decode()}})
    with control("without a restart it is the old one still"):
        assert tokens(box) == (box.token,)
    restart = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": token}}}
    kube.patch(kube.path("StatefulSet", box.name, box.namespace), {"spec": {"template": restart}})
    box.wait_ready(after=old["metadata"]["uid"])
    assert tokens(box) == (token,)
    assert box.exec([subject.image.cli, *PROMPT], timeout=120).ok
    assert {each.token for each in stub.of(token).requests("/v1/messages")} == {token}


@claim("rotated-token-picked-up")
def test_a_login_by_hand_gives_an_address_to_open(box: Box, subject: Subject) -> None:
    def address(*words: str) -> str:
        """Return the host of the first address that the CLI prints, "" if it ends, or goes on, without."""
        ended = box.exec(["sh", "-c", UNTIL_ADDRESS, "until", subject.image.cli, *words], timeout=300)
        found = ADDRESS.search(ended.stdout + ended.stderr)
        return observe("address", " ".join(words), found[1] if found else "")

    with control("asked for its state, the CLI gives none"):
        assert address("auth", "status") == ""
    assert address("auth", "login") == "claude.com"


def shared(kube: Kube, docker: Any, path: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether what one pod's container writes at ``path`` is found by another's; an observation."""
    first, second = (Inside(docker, pod, pod["spec"]["containers"][0]["name"]) for pod in (one, other))
    mark = helper_pods.unique("mark")
    first.write(f"{path}.{mark}", mark)
    pods = " and ".join(each["metadata"]["name"] for each in (one, other))
    return observe("shared file", pods, second.read(f"{path}.{mark}") == mark)


@claim("one-credential-file-per-agent")
def test_two_agents_have_two_credentials_files(
    make_box: MakeBox, kube: Kube, docker: Any, subject: Subject, session: Session
) -> None:
    box = make_box(ready=False)
    kube.patch(kube.path(box.workload["kind"], box.name, box.namespace), {"spec": {"replicas": 2}})
    box.wait_ready()
    pods = [f"{box.name}-{number}" for number in range(2)]
    pod_status.ready(kube, box.namespace, pods[1], 120, reference_image=session.probe_image)
    one, two = (kube.get("Pod", each, box.namespace) for each in pods)
    inside = Inside(docker, one, box.container)
    file = f"{inside.variables.get('CLAUDE_CONFIG_DIR', subject.config_dir)}/{FILE}"
    with control("another pod that mounts the first one's claim sees its files"):
        beside = neighbour(one, session.probe_image, file.rpartition("/")[0])
        with helper_pods.applied(kube, beside):
            helper_pods.start_of(kube, box.namespace, beside["metadata"]["name"])
            live = kube.get("Pod", beside["metadata"]["name"], box.namespace)
            assert shared(kube, docker, file, one, live)
    assert not shared(kube, docker, file, one, two)
    claims = kube.list("PersistentVolumeClaim", box.namespace)
    assert not {mode for each in claims for mode in each["spec"]["accessModes"]} & {"ReadWriteMany"}


def neighbour(pod: dict[str, Any], image: str, path: str) -> dict[str, Any]:
    """Return a pod of ours that has mounted at ``path`` what ``pod`` has there."""
    mounts = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["mountPath"] == path]
    volumes = [each for each in pod["spec"]["volumes"] if each["name"] in {mount["name"] for mount in mounts}]
    made = helper_pods.pod(
        helper_pods.unique("boxproof-beside"), pod["metadata"]["namespace"], image, helper_pods.IDLE
    )
    made["spec"]["containers"][0]["volumeMounts"] = mounts
    made["spec"] |= {"volumes": volumes, "nodeName": pod["spec"]["nodeName"]}
    return made


def source(mounts: Sequence[dict[str, Any]], path: str, asked: str) -> str:
    """Return what kind of source a container's mount at ``path`` has ("" for none); an observation."""
    kinds = {each["Destination"]: each["Type"] for each in mounts}
    return observe("source of the mount", asked, str(kinds.get(path, "")))


@claim("no-cross-platform-credential-share")
@scope("image")
def test_the_documented_start_mounts_a_named_volume(
    container: Containers, docker: Any, subject: Subject, tmp_path: Path
) -> None:
    def mounted(what: str, asked: str) -> str:
        bind = {str(Path(what).expanduser()): {"bind": subject.config_dir, "mode": "rw"}}
        made = container(start=False, volumes=bind).made
        return source(docker.api.inspect_container(made.id)["Mounts"], subject.config_dir, asked)

    with control("a directory of the host is seen as one"):
        home = tmp_path / "home/.claude"
        home.mkdir(parents=True)
        assert mounted(str(home), "a home on the host") == "bind"
    said = container(start=False).run().output
    documented = re.findall(rf"-v (\S+):{re.escape(subject.config_dir)}\b", said)
    assert documented, "the box does not say what to mount"
    for each in documented:
        assert mounted(each, f"as documented: {each}") == "volume"


@claim("no-cross-platform-credential-share")
@scope("image")
def test_nothing_mounts_a_home_of_the_host(subject: Subject, rendered: list[dict[str, Any]]) -> None:
    with control("a mount of the host's home is seen as one"):
        assert homes(EXAMPLE_PODS, EXAMPLE_SERVICES, "examples") == ["/Users/me/.claude", "~/.claude"]
    pods = [spec for spec in (pod_spec(each) for each in rendered) if spec]
    files = [*subject.directory.glob("*compose*.y*ml")]
    services = [each for path in files for each in yaml.safe_load(path.read_text())["services"].values()]
    assert homes(pods, services, "what the subject ships") == []


def homes(pods: Sequence[dict[str, Any]], services: Sequence[dict[str, Any]], asked: str) -> list[str]:
    """Return the directories of the host that pods and Compose services mount, in homes; an observation."""
    paths = [
        each["hostPath"]["path"] for pod in pods for each in pod.get("volumes") or () if "hostPath" in each
    ]
    found = [each for each in paths if HOMES.match(each)]
    for service in services:
        for each in service.get("volumes") or ():
            start = each.get("source", "") if isinstance(each, dict) else each.partition(":")[0]
            if HOMES.match(start):
                found.append(start)
    return observe("homes of the host", asked, found)
