"""strace and gdb on processes that are not the agent's: SYS_PTRACE is enough, and needed."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from boxproof.agent.agent_tools import Ran, ran
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.box_fixtures import Tier
from boxproof.probes.pods import helper_pods
from boxproof.probes.probe_program import ask
from boxproof.probes.processes import descended
from boxproof.subject import documented_commands
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.pod_specs import added_capabilities, containers, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope

TRACES = require("it attaches, and sees the process", lambda done: done.ok)
ONLY_PTRACE = require("the agent can have SYS_PTRACE and nothing else", lambda found: found == ["SYS_PTRACE"])
NO_ADMIN = require("nothing adds SYS_ADMIN", lambda found: not {"SYS_ADMIN", "CAP_SYS_ADMIN", "ALL"} & found)
NOT_PRIVILEGED = require("no container is privileged", lambda found: found == [])
STRANGER = 2000  # a uid that is not the agent's: one's own processes can be traced everywhere
# calls as long as nothing is seen of them; the calls are counted, not their seconds
STRACE = """
said=$(mktemp); timeout 300 strace -f -e trace=accept4 -o "$said" -p {pid} & tracer=$! calls=0
while kill -0 $tracer 2>/dev/null && [ $calls -lt 200 ] && ! grep -q 'accept4(.*= [0-9]' "$said"
do curl -s -m5 http://127.0.0.1:{port}/ >/dev/null 2>&1; sleep 0.3; calls=$((calls + 1)); done
kill $tracer 2>/dev/null; wait $tracer; grep -m1 'accept4(.*= [0-9]' "$said"
"""
ATTACH = {  # to a process that accepts connections
    "strace": STRACE,
    "gdb": "timeout 300 gdb -batch -nx -ex 'info registers rip' -p {pid} 2>&1 | grep '^rip '",
}
ALONE = {
    "strace": "timeout 300 strace -p {pid}",
    "gdb": "timeout 300 gdb -batch -nx -ex 'info registers rip' -p {pid}",
}


# a debugging container in a pod, by the privileged profile: for a tracer, or for whatever is typed there
SYSADMIN = re.compile(
    r"\bkubectl\b[^\n]*\sdebug\s(?![^\n]*\bnodes?/)(?=[^\n]*--profile[= ]sysadmin)"
    r"(?:[^\n]*\b(?:strace|gdb)\b|(?![^\n]*\s--\s))"
)
FOR_A_TRACER = (
    "kubectl debug -it agent-0 --image=a:1 --target=agent --profile=sysadmin -- strace -p 1",
    "kubectl -n a debug -it agent-0 --image=a:1 \\\n  --profile sysadmin",
)


def added(objects: list[dict[str, Any]]) -> set[str]:
    """Return every capability that a container in ``objects`` adds; a runtime takes small letters too."""
    many = (names for one in objects for names in added_capabilities(one).values())
    return {str(each).upper() for names in many for each in names}


def of_services(files: Mapping[str, Mapping[str, Any]], name: str) -> set[str]:
    """Return every capability that Compose files add to the service of that name."""
    every = [content["services"].get(name) or {} for content in files.values()]
    named = {str(one).upper() for each in every for one in each.get("cap_add") or ()}
    return named | {"ALL" for each in every if each.get("privileged")}


def of_options(commands: Iterable[Sequence[str]]) -> set[str]:
    """Return every capability that the options of commands add."""
    found: set[str] = set()
    for words in commands:
        told = documented_commands.values(words, "--cap-add")
        found |= {one.upper() for each in told for one in each.split(",")}
        found |= {"ALL" for each in words if each in ("--privileged", "--privileged=true")}
    return found


def of_profiles(texts: Mapping[str, str]) -> set[str]:
    """Return what debugging containers are given: by a command's profile, by a file of their settings."""
    found: set[str] = set()
    for name, text in texts.items():
        if name.endswith(".json"):
            made = json.loads(text)
            told = (made.get("securityContext") if isinstance(made, dict) else None) or {}
            found |= {str(each).upper() for each in (told.get("capabilities") or {}).get("add") or ()}
            found |= {"ALL"} if told.get("privileged") else set()
        elif SYSADMIN.search(text.replace("\\\n", " ")):
            found |= {"ALL"}
    return found


def settings(subject: Subject) -> dict[str, str]:
    """Return the files beside the manifests that a debugging container is made by, by their paths."""
    beside = (subject.directory / Path(subject.manifests.base)).parent if subject.manifests.base else None
    found = {path: path.read_text() for path in sorted(beside.rglob("*.json"))} if beside else {}
    return {str(path): text for path, text in found.items() if '"securityContext"' in text}


def privileged(objects: list[dict[str, Any]]) -> list[str]:
    """Return the containers that are privileged."""
    return [at for at, each in containers(objects) if (each.get("securityContext") or {}).get("privileged")]


def attach(box: Box, commands: dict[str, str]) -> dict[str, Ran]:
    """Attach, from a shell in the box, to a process of another uid in its pod."""
    beside = box.beside(box.container, uid=STRANGER)
    found = ask(beside, "listen", "0", "--token", secrets.token_hex(8))
    filled = {name: each.format(pid=found["pid"], port=found["port"]) for name, each in commands.items()}
    return {name: ran(box.exec, each) for name, each in filled.items()}


@claim("ptrace-tier-not-sysadmin")
def test_a_process_of_another_uid_is_traced_in_the_ptrace_tier(
    box: Box, tier: Tier, subject: Subject
) -> None:
    with control("in the default tier that is refused, in words that name the tier"):
        for name, refused in attach(box, ALONE).items():
            assert not refused.ok, name
            TRACES.fails(observe("traced", f"{name} by default", refused))
            assert "ptrace tier" in refused.said, refused.said
        ONLY_PTRACE.fails(of_the_agent(box, subject))
    traced = tier("ptrace")
    for name, found in attach(traced, ATTACH).items():
        TRACES(observe("traced", f"{name} in the ptrace tier", found))
    ONLY_PTRACE(of_the_agent(traced, subject))


def of_the_agent(box: Box, subject: Subject) -> list[str]:
    """Return the capabilities that the agent's own first process can have; an observation."""
    own = descended(box.processes())  # not a command that the kubelet's probes run there
    pids = [each.pid for each in own if each.uid == subject.uid]
    assert pids, "no process of the agent's container is the agent's"
    found = box.capabilities(pids[0])
    return observe("bounding set", box.label, sorted(found.bounding))


def show_each_way() -> None:
    """Show that it is seen under each of its names, and wherever it may be given."""
    with control("what adds it, or has all there are, is seen: a container, a service, an option, a profile"):
        for name in ("SYS_ADMIN", "sys_admin", "CAP_SYS_ADMIN", "ALL"):
            asked = {"capabilities": {"add": [name]}}
            pod = helper_pods.pod("any", "any", "any", [], securityContext=asked)
            NO_ADMIN.fails(observe("added", str(asked), added([pod])))
            file = {"a file": {"services": {"agent": {"cap_add": [name]}}}}
            NO_ADMIN.fails(observe("added", f"a service, {name}", of_services(file, "agent")))
            command = ("docker", "run", "--cap-add", f"NET_RAW,{name}")
            NO_ADMIN.fails(observe("added", f"an option, {name}", of_options([command])))
            settings_of_one = {"a.json": json.dumps({"securityContext": asked})}
            NO_ADMIN.fails(observe("added", f"a profile, {name}", of_profiles(settings_of_one)))
        for text in FOR_A_TRACER:
            NO_ADMIN.fails(observe("added", text, of_profiles({"a page": text})))
        NO_ADMIN.fails(observe("added", "--privileged", of_options([("docker", "run", "--privileged")])))
        pod = helper_pods.pod("a", "n", "i", [], securityContext={"privileged": True})
        NOT_PRIVILEGED.fails(observe("privileged", "a pod", privileged([pod])))


@claim("ptrace-tier-not-sysadmin")
@scope("image")
def test_nothing_that_is_shipped_adds_sys_admin(session: Session, subject: Subject) -> None:
    show_each_way()
    parent = subject.path(subject.manifests.components)
    components = sorted(each.name for each in parent.iterdir()) if parent else []
    require.expected(NO_ADMIN, NOT_PRIVILEGED)
    for name in ("", *components):
        chosen = tuple(dict.fromkeys((*COMPONENTS, *filter(None, [name]))))
        objects, _ = rendered(session, components=chosen)
        NO_ADMIN(observe("added", name or "the base", added(objects)))
        NOT_PRIVILEGED(observe("privileged", name or "the base", privileged(objects)))
    for path, objects in shipped.objects(subject).items():
        pods = [
            each
            for each in objects
            if pod_spec(each) and path.startswith(str(Path(subject.manifests.base).parent))
        ]
        NO_ADMIN(observe("added", path, added(pods)))
    service = of_services(shipped.compose(subject), subject.compose.service)
    NO_ADMIN(observe("added", "Compose files", service))
    documented = [subject.commands.run, *(each.options for each in documented_commands.runs(subject))]
    NO_ADMIN(observe("added", "documented commands that run the box", of_options(documented)))
    capture = {"the documented capture": " ".join(subject.commands.capture)}
    pages = shipped.commands(subject) | settings(subject) | capture
    NO_ADMIN(observe("added", "documented debugging containers", of_profiles(pages)))
