"""Files of the image that a start brings to the volume: those of a newer image have to arrive as well."""

from __future__ import annotations

from collections.abc import Iterator

from boxproof.core.session import Session
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import GROUPS, pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites import agent_starts
from suites.persistence.seeded_files import Places, copied_once

NONE_ONCE = require(
    "no file of the image is copied to the volume only where none is", lambda found: found == []
)
SEEDS = (
    "cp -rn /opt/defaults/. {top}/",
    "[ -e {top}/settings.json ] || cp /opt/settings.json {top}/settings.json",
    'if [ -z "$(ls -A {top})" ]; then\n  cp -r /opt/defaults/* {top}/\nfi',
)


@claim("no-volume-shadowing")
@needs("box")
def test_no_start_copies_a_file_of_the_image_once(session: Session, subject: Subject) -> None:
    """By the entrypoint, by a container before the agent's, by what is done after its start."""
    top = subject.config_dir
    own = Places((top,), variables={"HOME": subject.home, "CLAUDE_CONFIG_DIR": top})

    def once(asked: str, text: str, places: Places) -> list[str]:
        return observe("copied once", asked, copied_once(text, places))

    with control("a copy that spares what is there, one behind a test, and one into what is empty, are seen"):
        for each in SEEDS:
            NONE_ONCE.fails(once("a doctored start", each.format(top=top), own))
    for entrypoint in subject.image.entrypoints:
        text = (subject.directory / entrypoint).read_text(errors="replace")
        NONE_ONCE(once(entrypoint, text, own))
    for tier, objects in agent_starts.tiers(session, subject):
        for name, text, places in carried_out(workload(objects, subject.workload), own):
            NONE_ONCE(once(f"tier {tier}: {name}", text, places))


def carried_out(item: Object, own: Places) -> Iterator[tuple[str, str, Places]]:
    """Give what each container of a workload is told to run, and where the volume is in it."""
    pod = pod_spec(item) or {}
    lasting = {each["metadata"]["name"] for each in item["spec"].get("volumeClaimTemplates") or ()}
    lasting |= {each["name"] for each in pod.get("volumes") or () if "persistentVolumeClaim" in each}
    for container in (each for group in GROUPS[:2] for each in pod.get(group) or ()):
        mounts = container.get("volumeMounts") or ()
        volume = [str(each["mountPath"]) for each in mounts if each["name"] in lasting]
        others = [str(each["mountPath"]) for each in mounts if each["name"] not in lasting]
        started = ((container.get("lifecycle") or {}).get("postStart") or {}).get("exec") or {}
        every = (container.get("command"), container.get("args"), started.get("command"))
        text = "\n".join(str(word) for words in every for word in words or ())
        yield str(container["name"]), text, Places((*own.volume, *volume), others, own.variables)
