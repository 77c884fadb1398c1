"""Objects held to the schemas of the live API server, and applied to it as users would."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from boxproof.errors import EnvironmentFault
from boxproof.kube import conform
from boxproof.kube.client import Kube, Object
from boxproof.probes import ledger
from boxproof.probes.pods import RUN_LABEL
from boxproof.proof import box as boxes
from boxproof.proof.charts import kubectl, settings_of
from boxproof.proof.instance import workload_of
from boxproof.session import Session
from boxproof.subject import instances


class Conformity:
    """``conformity(asked, objects)``: what is wrong with them; ``directory`` is for schemas."""

    def __init__(self, session: Session, kube: Kube, directory: Path) -> None:
        self.program = conform.program(settings_of(session))
        self.kube = kube
        self.schemas = directory / "schemas"
        self.schemas.mkdir()
        self.have: set[str] = set()

    def serves(self, item: Object) -> bool:
        """Return whether the API server has this kind: definitions of others may be installed elsewhere."""
        return any(each.answers_to(item["kind"], item["apiVersion"]) for each in self.kube.resources())

    def __call__(
        self, asked: str, objects: Sequence[Object], *, schemas: Sequence[Path] | None = None
    ) -> list[str]:
        """Return what is wrong, by the live schemas or by those in ``schemas``; an observation."""
        if schemas is None:
            missing = {str(each["apiVersion"]) for each in objects} - self.have
            conform.write_schemas(self.kube, missing, self.schemas)
            self.have |= missing
        found = conform.faults(self.program, objects, schemas or [self.schemas])
        ledger.record("schema faults", asked, found)
        return found


def refused(session: Session, asked: str, objects: Sequence[Object]) -> str:
    """Return why the API server refuses objects in a strict trial run, "" if it does not; an observation."""
    done = kubectl(session, "apply", "--dry-run=server", "--validate=strict", "--filename=-", objects=objects)
    said = "" if done.ok else _why(done.stderr)
    ledger.record("strict trial", asked, said)
    return said


class Applied:
    """``fresh(asked)`` applies the base as an instance, with kubectl, and returns what came of it."""

    def __init__(self, session: Session, kube: Kube) -> None:
        self.session = session
        self.kube = kube
        self.suffix = f"x{secrets.token_hex(3)}"
        token = boxes.token_of(self.suffix)
        objects, _ = boxes.rendered(session, components=(), token=token)
        namespace = f"{workload_of(objects)['metadata']['namespace']}-{self.suffix}"
        self.objects = instances.derive(objects, namespace=namespace, suffix=self.suffix)
        for each in self.objects:
            each["metadata"].setdefault("labels", {})[RUN_LABEL] = session.run
        boxes.remember(
            session, suffix=self.suffix, namespace=namespace, objects=self.objects, components=(), token=token
        )

    def __call__(self, asked: str) -> dict[str, str]:
        """Return "created", "changed" or "unchanged" by object, and why it was "refused"; an observation.

        Of a StatefulSet with claim templates kubectl always says "configured", because the server fills these
        in: what keeps its generation is unchanged.
        """
        before = self._generations()
        done = kubectl(self.session, "apply", "--validate=strict", "--filename=-", objects=self.objects)
        told = dict(each.rsplit(" ", 1) for each in done.stdout.splitlines())
        after = self._generations()
        for name, word in told.items():
            if word == "configured":
                same = before.get(name, 0) == after.get(name, -1)
                told[name] = "unchanged" if same else "changed"
        if not done.ok:
            told["refused"] = _why(done.stderr)
        elif len(told) != len(self.objects):
            raise EnvironmentFault(f"kubectl tells of {len(told)} of {len(self.objects)} objects")
        ledger.record("applied", asked, told, decides=sorted(set(told.values())))
        return told

    def _generations(self) -> dict[str, int]:
        """Return the generation of each object that is there and has one, by the name kubectl gives it."""
        found = {}
        for each in self.objects:
            meta, group = each["metadata"], each["apiVersion"].rpartition("/")[0]
            live = self.kube.find(each["kind"], meta["name"], meta.get("namespace"))
            generation = (live or {}).get("metadata", {}).get("generation")
            if generation is not None:
                kind = ".".join(filter(None, (each["kind"].lower(), group)))
                found[f"{kind}/{meta['name']}"] = int(generation)
        return found

    def close(self) -> None:
        """Remove it."""
        boxes.remove(boxes.attach(self.session, self.suffix, self.kube))


def _why(said: str) -> str:
    """Return what kubectl said; raises EnvironmentFault where it did not get an answer."""
    if "connection refused" in said or "Unable to connect" in said or "i/o timeout" in said:
        raise EnvironmentFault(f"kubectl: {said.strip()[-300:]}")
    return said.strip()[-600:]
