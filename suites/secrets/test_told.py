"""What else could be told: a kubeconfig by the pod that has it, the login by the pod that watches it."""

from __future__ import annotations

import json
from typing import Any

from boxproof.agent.login import FILE, credentials
from boxproof.core.secret_values import holds_secret
from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.kube.rules import authority, kubeconfig
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe
from suites.auth import cron_jobs
from suites.entrypoint.test_logs import OUT_OF_SIGHT, show_both, told_by

SOON = 600.0  # seconds until the login ends: the watch has something to say


@claim("secret-not-in-logs-or-argv")
@needs("tier:multicluster")
def test_no_kubeconfig_of_the_pod_is_in_sight(
    make_box: MakeBox, kube: Kube, container: Containers, subject: Subject
) -> None:
    """By the pod that is given it, and by the next one."""
    secret = unique("stub-token-there")
    with control("what a shell is told and says is found"):
        show_both(container, secret)
    text = kubeconfig({"there": secret}, authority(kube)).encode()
    components = (*COMPONENTS, *subject.tiers["multicluster"])
    box = make_box(components=components, files={"kubeconfig": text})
    OUT_OF_SIGHT(told_by(box, kube, [secret]))
    box.delete_pod()
    OUT_OF_SIGHT(told_by(box, kube, [secret]))


@claim("secret-not-in-logs-or-argv")
@needs("tier:watch")
def test_no_login_is_in_sight_of_who_looks_at_its_watch(
    make_box: MakeBox, kube: Kube, container: Containers, docker: Any, subject: Subject
) -> None:
    """Its last words are the pod's status and an event: whoever looks at Jobs has them."""
    secret = unique("stub-token-watched")
    with control("what a shell is told and says is found"):
        show_both(container, secret)
    box = make_box(components=(*COMPONENTS, *subject.tiers["watch"]))
    inside = Inside(docker, box.pod_object(), box.container)
    for asked, text in {
        "near its end": credentials(secret, expires_in=SOON),
        "damaged": credentials(secret)[:-10],
    }.items():
        inside.write(f"{subject.config_dir}/{FILE}", text)
        with cron_jobs.ended(kube, box.object("CronJob")) as (_, pods):
            assert pods, "the watch had no pod"
            texts = {"status": json.dumps(pods), "events": json.dumps(kube.list("Event", box.namespace))}
            for each in pods:
                name = each["metadata"]["name"]
                for one in each["spec"]["containers"]:
                    texts[f"log of {one['name']}"] = kube.logs(box.namespace, name, one["name"])
            found = [where for where, said in texts.items() if holds_secret(said, secret)]
        OUT_OF_SIGHT(observe("secrets in sight", f"the watch of a login {asked}", found))
