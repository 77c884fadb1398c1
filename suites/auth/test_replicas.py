"""No two agents have one state, where a tier asks for several pods, or Compose makes several containers."""

from __future__ import annotations

from boxproof.core.session import Session
from boxproof.kube.client import Object
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.agent_starts import Start
from suites.auth.replicas import in_one_tier, number, of_service, scaled, shared

APART = require("no state is mounted by several agents at once", lambda found: found == [])


@claim("one-credential-file-per-agent")
@needs("default-tier")
@scope("image")
def test_no_two_agents_of_a_tier_or_of_compose_have_one_state(session: Session, subject: Subject) -> None:
    """One node may mount a claim for all of its pods, however its access mode is called."""

    def seen(asked: str, found: list[str]) -> list[str]:
        return observe("several agents on one state", asked, found)

    made = list(agent_starts.tiers(session, subject))
    rolled: Object = {"kind": "Deployment", "metadata": {"name": "doctored"}, "spec": {"replicas": 1}}
    claimed = Start("doctored", (agent_starts.Mount(subject.config_dir, "persistentVolumeClaim"),))
    service = {"volumes": [f"home:{subject.config_dir}"], "deploy": {"replicas": 3}}
    with control(
        "two pods with one claim, by number or in a rollout, and three containers with one volume, are seen"
    ):
        APART.fails(seen("pods", shared(claimed, 2, subject)))
        APART.fails(seen("pods of a rollout", shared(claimed, number(rolled, []), subject)))
        composed = agent_starts.of_service("doctored", service)
        APART.fails(seen("containers", shared(composed, of_service(service), subject)))
    for name, objects in made:
        APART(seen(f"tier {name}", in_one_tier(f"tier {name}", objects, subject)))
    many = max(scaled(shipped.commands(subject), subject), default=1)
    for name, each in agent_starts.services(subject):
        start = agent_starts.of_service(name, each)
        APART(seen(name, shared(start, max(many, of_service(each)), subject)))
