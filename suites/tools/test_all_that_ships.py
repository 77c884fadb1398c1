"""NET_ADMIN in all that ships: its own tier asks for it, and nothing else under whatever name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import COMPONENTS
from boxproof.deployment.deploy import rendered as rendered_with
from boxproof.probes.pods import helper_pods
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.pod_specs import added_capabilities, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope

TIER = "netadmin"
NAMES = frozenset({"NET_ADMIN", "CAP_NET_ADMIN", "ALL"})  # the last are all there are, it among them
NONE_ASKS = require("nothing but the tier for it asks for NET_ADMIN", lambda found: found == [])


def wanted(names: Iterable[object]) -> bool:
    """Return whether a list of capabilities has it in it."""
    return bool(NAMES & {str(each).upper() for each in names})


def of_pods(where: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the containers among objects that add it."""
    every = [pair for one in objects if pod_spec(one) for pair in added_capabilities(one).items()]
    return [f"{where}: {name}" for name, added in every if wanted(added)]


def of_services(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the services of Compose files that add it."""
    return [
        f"{name}: {service}"
        for name, content in files.items()
        for service, told in content["services"].items()
        if wanted((told or {}).get("cap_add") or ())
    ]


def of_command(words: Sequence[str]) -> list[str]:
    """Return the options of a documented command that add it."""
    text = " ".join(words).replace("--cap-add ", "--cap-add=").split()
    added = [each for each in text if each.startswith("--cap-add=") and wanted(each[10:].split(","))]
    return [f"the documented command: {each}" for each in added]


def asking(asked: str, found: list[str]) -> list[str]:
    """Return what asks for it; an observation."""
    return observe("asks for NET_ADMIN", asked, sorted(found))


def show_each_form() -> None:
    """Show that it is seen under each of its names, and wherever it may stand."""
    with control("a container, a service and an option that ask for it are seen, whatever they call it"):
        for name in NAMES:
            context = {"capabilities": {"add": [name.lower()]}}
            pod = helper_pods.pod("p", "n", "i", [], securityContext=context)
            NONE_ASKS.fails(asking(f"a pod, {name}", of_pods("a pod", [pod])))
            file = {"a file": {"services": {"agent": {"cap_add": [name]}}}}
            NONE_ASKS.fails(asking(f"a service, {name}", of_services(file)))
        NONE_ASKS.fails(asking("an option", of_command(("docker", "run", "--cap-add", "NET_ADMIN"))))


@claim("netadmin-tier-separate")
@scope("image")
def test_nothing_that_is_shipped_asks_for_net_admin_beside_its_tier(
    session: Session, subject: Subject
) -> None:
    show_each_form()
    parent = subject.path(subject.manifests.components)
    names = sorted(each.name for each in parent.iterdir()) if parent else []
    for name in ("", *(each for each in names if each != TIER)):
        objects, _ = rendered_with(
            session, components=tuple(dict.fromkeys((*COMPONENTS, *filter(None, [name]))))
        )
        NONE_ASKS(asking(name or "the base", of_pods(name, objects)))
    place = str(Path(subject.manifests.base).parent)
    for path, objects in shipped.objects(subject).items():
        if path.startswith(place):
            NONE_ASKS(asking(path, of_pods(path, objects)))
    NONE_ASKS(asking("Compose files", of_services(shipped.compose(subject))))
    NONE_ASKS(asking("the documented command", of_command(subject.commands.run)))
