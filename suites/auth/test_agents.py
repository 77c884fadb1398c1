"""Whose login it is: one agent's, from its own volume and its own Secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boxproof.agent.api_session import URL
from boxproof.agent.login import FILE, PROMPT
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS
from boxproof.deployment.deploy import rendered as rendered_with
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import CONFINED
from boxproof.stubs.anthropic import Stub
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.auth import host_homes, host_state

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
OF_PROCESSES = f"cat /proc/[0-9]*/environ | tr '\\0' '\\n' | sed -n 's/^{VARIABLE}=//p' | sort -u"
EXAMPLE_PODS = [{"volumes": [{"name": "home", "hostPath": {"path": "/Users/me/.claude"}}]}]
EXAMPLE_VOLUMES: list[dict[str, Any]] = [
    {"kind": "PersistentVolume", "spec": {"local": {"path": "/home/me/.claude"}}}
]
EXAMPLE_SERVICES = [{"volumes": ["~/.claude:/home/claude/.claude", "claude:/home/claude/.claude"]}]
ADDRESS = re.compile(r"https://([\w.]+)/\S*oauth/authorize\?\S+code_challenge=")
# a program that may wait for ever once it has said it; the looks are counted, not their seconds
UNTIL_ADDRESS = """
said=$(mktemp); "$@" >"$said" 2>&1 </dev/null & program=$! looks=0
while kill -0 $program 2>/dev/null && [ $looks -lt 200 ] && ! grep -q code_challenge= "$said"
do sleep 0.3; looks=$((looks + 1)); done
kill -KILL $program 2>/dev/null; wait; cat "$said"; rm "$said"
"""


def tokens(box: Box) -> tuple[str, ...]:
    """Return the tokens in the environments of the box's processes; an observation."""
    found = tuple(box.exec(["sh", "-c", OF_PROCESSES]).stdout.split())
    return observe("tokens of the processes", box.label, found)


SERVED = ["curl", "-sS", "--fail", "--max-time", "240", "--json", '{"prompt": "say ok"}', URL]
USES = require("its processes have the Secret's new token, and no other", lambda found, new: found == (new,))
ASKS_WITH = require("the API is asked with the new token alone", lambda found, new: found == [new])
OPENS = require("there is an address to open, of claude.com", lambda host: host == "claude.com")
APART = require("what one agent writes is not there for the other", lambda shared_file: shared_file is False)
OF_ONE = require("no claim can be mounted by two nodes", lambda modes: "ReadWriteMany" not in modes)
NAMED_VOLUME = require(
    "a named volume is mounted, not a directory of the host", lambda kind: kind == "volume"
)
NO_HOME = require("nothing mounts a home of the host", lambda found: found == [])


@claim("rotated-token-picked-up")
def test_a_new_token_in_the_secret_is_used_after_a_restart(
    make_box: MakeBox, kube: Kube, stub: Stub, subject: Subject, token: str
) -> None:
    box = make_box()
    old, secret, data = box.pod_object(), box.object("Secret")["metadata"], base64.b64encode(token.encode())
    kube.patch(kube.path("Secret", secret["name"], box.namespace), {"data": {"token": data.decode()}})
    with control("without a restart it is the old one still, at the API too"):
        assert USES.fails(tokens(box), token) == (box.token,)
        ASKS_WITH.fails(asked_with(stub, box, subject, token), token)
    restart = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": token}}}
    kube.patch(kube.path("StatefulSet", box.name, box.namespace), {"spec": {"template": restart}})
    box.wait_ready(after=old["metadata"]["uid"])
    USES(tokens(box), token)
    ASKS_WITH(asked_with(stub, box, subject, token), token)


def asked_with(stub: Stub, box: Box, subject: Subject, token: str) -> list[str]:
    """Have prompts answered and return with which of the box's first token and ``token``; an observation.

    An exec has the pod's environment; the service that answers prompts has what it was started with.
    """

    def asked() -> dict[str, int]:
        return {each: len(stub.of(each).requests("/v1/messages")) for each in (box.token, token)}

    before = asked()
    assert box.exec([subject.image.cli, *PROMPT], timeout=120).ok
    if "box" in subject.profiles:
        assert box.exec(SERVED, timeout=300).ok
    return observe("asked with", box.label, [each for each, count in asked().items() if count > before[each]])


@claim("rotated-token-picked-up")
def test_a_login_by_hand_gives_an_address_to_open(box: Box, subject: Subject) -> None:
    def address(*words: str) -> str:
        """Return the host of the first address that the CLI prints, "" if it ends, or goes on, without."""
        ended = box.exec(["sh", "-c", UNTIL_ADDRESS, "until", subject.image.cli, *words], timeout=300)
        found = ADDRESS.search(ended.stdout + ended.stderr)
        return observe("address", " ".join(words), found[1] if found else "")

    with control("asked for its state, the CLI gives none"):
        OPENS.fails(address("auth", "status"))
    OPENS(address("auth", "login"))


def shared(kube: Kube, docker: Any, path: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether what one pod's container writes at ``path`` is found by another's; an observation."""
    first, second = (Inside(docker, pod, pod["spec"]["containers"][0]["name"]) for pod in (one, other))
    mark = helper_pods.unique("mark")
    first.write(f"{path}.{mark}", mark)
    pods = " and ".join(each["metadata"]["name"] for each in (one, other))
    return observe("shared file", pods, second.read(f"{path}.{mark}") == mark)


@claim("one-credential-file-per-agent")
@needs("statefulset")
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
            APART.fails(shared(kube, docker, file, one, live))
        many = {"spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}}
        OF_ONE.fails(access_modes([many], "a claim of many"))
    APART(shared(kube, docker, file, one, two))
    APART(shared(kube, docker, file, two, one))
    OF_ONE(access_modes(kube.list("PersistentVolumeClaim", box.namespace), box.label))


def access_modes(claims: Sequence[dict[str, Any]], asked: str) -> list[str]:
    """Return the access modes of claims, each once; an observation."""
    return observe(
        "access modes", asked, sorted({mode for each in claims for mode in each["spec"]["accessModes"]})
    )


def neighbour(pod: dict[str, Any], image: str, path: str) -> dict[str, Any]:
    """Return a pod of ours that has what ``pod`` has at ``path``, mounted as there or above it."""
    every = [each for one in pod["spec"]["containers"] for each in one.get("volumeMounts") or ()]
    mounts = [each for each in every if f"{path}/".startswith(f"{each['mountPath'].rstrip('/')}/")][:1]
    volumes = [each for each in pod["spec"]["volumes"] if each["name"] in {mount["name"] for mount in mounts}]
    made = helper_pods.pod(
        helper_pods.unique("boxproof-beside"), pod["metadata"]["namespace"], image, helper_pods.IDLE
    )
    security = {key: value for key, value in CONFINED.items() if key not in ("runAsUser", "runAsGroup")}
    made["spec"]["containers"][0] |= {"volumeMounts": mounts, "securityContext": security}
    made["spec"] |= {"volumes": volumes, "nodeName": pod["spec"]["nodeName"]}
    made["spec"]["securityContext"] = pod["spec"].get("securityContext") or {}  # the files are its user's
    return made


def source(mounts: Sequence[dict[str, Any]], path: str, asked: str) -> str:
    """Return what kind of source a container's mount at ``path`` has ("" for none); an observation."""
    kinds = {each["Destination"]: each["Type"] for each in mounts}
    return observe("source of the mount", asked, str(kinds.get(path, "")))


@claim("no-cross-platform-credential-share")
@needs("box")
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
        assert NAMED_VOLUME.fails(mounted(str(home), "a home on the host")) == "bind"
    said = container(start=False).run().output
    documented = re.findall(rf"-v (\S+):{re.escape(subject.config_dir)}\b", said)
    assert documented, "the box does not say what to mount"
    pages = [each.read_text() for each in sorted((subject.directory / "docs").glob("*.md"))]
    written = [
        each for page in pages for each in re.findall(rf"-v (\S+):{re.escape(subject.config_dir)}\b", page)
    ]
    for each in sorted({*documented, *written}):
        NAMED_VOLUME(mounted(each, f"as documented: {each}"))


@claim("no-cross-platform-credential-share")
@needs("deployed")
@scope("image")
def test_nothing_mounts_a_home_of_the_host(subject: Subject, session: Session) -> None:
    state = host_state.called(subject)
    with control("a mount of the host's home is seen as one"):
        found = NO_HOME.fails(homes(EXAMPLE_PODS, EXAMPLE_SERVICES, state, "examples"))
        assert found == ["/Users/me/.claude", "~/.claude"]
        NO_HOME.fails(in_volumes(EXAMPLE_VOLUMES, state, "an example"))
    base = rendered_with(session)[0] if subject.source else []  # else a Compose file is all there is
    objects = [*base, *every_tier(session, subject)]
    pods = [spec for spec in (pod_spec(each) for each in objects) if spec]
    files = shipped.compose(subject).values()
    services = [each for file in files for each in file["services"].values() if each]
    NO_HOME(homes(pods, services, state, "what the subject ships"))
    written = [each for made in shipped.objects(subject).values() for each in made]
    NO_HOME(in_volumes([*objects, *written], state, "volumes of the cluster"))


def in_volumes(objects: Sequence[dict[str, Any]], state: str, asked: str) -> list[str]:
    """Return the homes of the host that pods could have by a claim; an observation."""
    return observe("homes of the host", asked, host_homes.in_volumes(objects, state))


def every_tier(session: Session, subject: Subject) -> list[dict[str, Any]]:
    """Return the objects of every tier of the subject."""
    tiers = ((*COMPONENTS, *each) for each in subject.tiers.values())
    return [each for components in tiers for each in rendered_with(session, components=components)[0]]


def homes(
    pods: Sequence[dict[str, Any]], services: Sequence[dict[str, Any]], state: str, asked: str
) -> list[str]:
    """Return the directories of the host that are a home, or state in one; an observation.

    They are what pods and Compose services mount.
    """
    paths = [
        each["hostPath"]["path"] for pod in pods for each in pod.get("volumes") or () if "hostPath" in each
    ]
    paths += [host_homes.source(each) for service in services for each in service.get("volumes") or ()]
    found = [each for each in paths if host_homes.is_state(each, state)]
    return observe("homes of the host", asked, found)
