"""The box as shipped before anybody has logged in: it is there, so that somebody can."""

from __future__ import annotations

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import NotFound, Object
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import holds, until
from suites.shipped_box import Shipped

WAIT = "CLAUDE_WAIT_FOR_LOGIN"
WATCHED = 20.0  # seconds: a container that ends for want of a login does so within a few
STAYS = require("its container runs on and is not started anew", lambda found: found == ("running", 0))


def begun(box: Box) -> bool:
    """Return whether the agent's container was started at all."""
    status = box.status()
    return bool(status.get("restartCount")) or bool({"running", "terminated"} & set(status.get("state", {})))


def stays(asked: str, box: Box) -> tuple[str, int]:
    """Return in which state the agent's container is after a while, and how often it was started anew."""
    until(lambda: begun(box), timeout=180, what="the agent's container is started", transient=(NotFound,))
    holds(lambda: not box.status().get("restartCount"), seconds=WATCHED, every=1)
    status = box.status()
    return observe(
        "stays", asked, (next(iter(status.get("state", {})), ""), int(status.get("restartCount", 0)))
    )


def without_waiting(objects: list[Object]) -> None:
    """Take away what has it wait for a login."""
    for each in objects:
        if each["kind"] == "ConfigMap":
            each["data"].pop(WAIT, None)


@claim("rotated-token-picked-up")
def test_the_box_as_shipped_waits_for_somebody_to_log_in(make_box: MakeBox, shipped: Shipped) -> None:
    image = shipped.image.reference
    with control("one that does not wait ends, and is started again and again"):
        other = make_box(components=(), edit=without_waiting, image=image, ready=False)
        STAYS.fails(stays("it does not wait", other))
    STAYS(stays("as shipped", make_box(components=(), image=image, ready=False)))
