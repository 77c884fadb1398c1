"""Backups of the agent's volume: a tar by way of a pod on it, and the way back into a new claim."""

from __future__ import annotations

import copy
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from boxproof.core.process import piped, run
from boxproof.kube import pod_status
from boxproof.kube.client import Kube, NotFound, Object
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError, one_line

START = 90.0  # seconds until the pod on the volume is Ready
TRANSFER = 1800.0  # seconds for all of the volume
# A file that grows meanwhile is whole up to where it was read: tar's 1 is no failure.
# The volume's root is not in it: it may be root's, and then nobody else could give it its time and mode back.
PACK = "cd {0} && find . -mindepth 1 -maxdepth 1 -print0 | tar --null -T - -czf - || [ $? -eq 1 ]"
MADE = "inv backup --file FILE makes one"
BROKEN = (OSError, tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError)  # of what is no backup


class Volume:
    """The claimed volume of a StatefulSet's only pod, and the subject's manifest of a pod on it.

    ``manifest`` is a file with that pod, and what belongs to it, for the subject's own namespace.
    """

    def __init__(self, kube: Kube, kubectl: str, manifest: Path, namespace: str, workload: str) -> None:
        self.kube = kube
        self.kubectl = [kubectl, "--kubeconfig", kube.kubeconfig, "-n", namespace]
        self.manifest = manifest
        self.namespace = namespace
        self.workload = workload

    @property
    def owner(self) -> Object:
        """The live StatefulSet; raises EnvironmentFault with what to do if there is none."""
        try:
            return self.kube.get("StatefulSet", self.workload, self.namespace)
        except NotFound:
            where = f"{self.namespace}/{self.workload}"
            raise EnvironmentFault(f"there is no StatefulSet {where}", hint="inv deploy") from None

    @property
    def claim_template(self) -> str:
        """The name of the volume in the StatefulSet's pods."""
        return str(self.owner["spec"]["volumeClaimTemplates"][0]["metadata"]["name"])

    def claim(self) -> Object:
        """Return the claim that the StatefulSet would make."""
        owner = self.owner
        made = copy.deepcopy(owner["spec"]["volumeClaimTemplates"][0])
        name = f"{made['metadata']['name']}-{self.workload}-0"
        meta = {"name": name, "namespace": self.namespace, "labels": made["metadata"].get("labels") or {}}
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        return kind | {"metadata": meta, "spec": made["spec"]}

    def objects(self) -> list[Object]:
        """Return the pod on the volume, and what belongs to it, as they are for this namespace."""
        found: list[Object] = [each for each in yaml.safe_load_all(self.manifest.read_text()) if each]
        image = self.owner["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in found:
            each["metadata"]["namespace"] = self.namespace
            for container in each["spec"].get("containers") or ():
                container["image"] = image
        return found

    @contextmanager
    def pod(self, edit: Callable[[Object], None] = lambda _: None) -> Iterator[tuple[list[str], str]]:
        """Give the words that run a command in a Ready pod on the volume, and where the volume is there.

        ``edit`` may change the pod before it is made.
        """
        objects = self.objects()
        pod = next(each for each in objects if each["kind"] == "Pod")
        edit(pod)
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        self.kube.apply(objects)
        try:
            pod_status.ready(self.kube, self.namespace, name, START)
            words = [*self.kubectl, "exec", "-i", name, "-c", container["name"], "--"]
            yield words, str(container["volumeMounts"][0]["mountPath"])
        finally:
            self.kube.delete(objects)
            pod_status.gone(self.kube, "Pod", name, self.namespace)

    def backup(self, file: Path) -> int:
        """Write the volume's content into a tar that its owner alone can read; returns the number of files.

        A file that is there is replaced once the new one is whole. Raises SubjectFault if there is nothing to
        back up, EnvironmentFault.
        """
        part = file.with_name(f".{file.name}.part")
        try:
            part.touch(0o600)
        except OSError as error:
            hint = "give a file in a directory that you may write to"
            raise UsageError(f"{file}: {error.strerror}", hint=hint) from error
        try:
            with (
                part.open("wb") as sink,
                self.pod() as (words, place),
                piped([*words, "sh", "-c", PACK.format(place)]) as source,
            ):
                shutil.copyfileobj(source, sink)
            count = len(content(part))
            if not count:
                raise SubjectFault(f"the volume of {self.namespace}/{self.workload} holds no file")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)  # what came of it holds the login
        return count

    def restore(self, file: Path, *, replace: bool) -> int:
        """Bring a backup into a new claim and start the agent on it; returns the number of files.

        The agent is stopped for it. Raises UsageError for a file that is no backup, and for a claim that is
        there if it is not to be replaced; before either nothing is changed. Else as ``backup``.
        """
        count = len(content(file))
        if not count:  # the volume would be emptied, and nothing come into it
            raise UsageError(f"{file} is a backup of no file", hint=MADE)
        claim = self.claim()
        name = claim["metadata"]["name"]
        if self.kube.find("PersistentVolumeClaim", name, self.namespace) and not replace:
            raise UsageError(
                f"the claim {name} is there",
                hint="--replace deletes it, and with most storage classes its data",
            )
        replicas = int(self.owner["spec"].get("replicas", 1)) or 1
        self.scale(0)
        self.kube.delete([claim])
        pod_status.gone(self.kube, "PersistentVolumeClaim", name, self.namespace)
        self.kube.create(claim)
        with self.pod() as (words, place), file.open("rb") as source:
            run(
                [*words, "tar", "-C", place, "-xzpf", "-"],
                timeout=TRANSFER,
                stdin=source,
            )
        self.scale(replicas)
        return count

    def scale(self, replicas: int) -> None:
        """Set the number of pods, and wait until there is none or the one is Ready."""
        path = self.kube.path("StatefulSet", self.workload, self.namespace)
        self.kube.patch(path, {"spec": {"replicas": replicas}})
        pod = f"{self.workload}-0"
        if replicas:
            pod_status.ready(self.kube, self.namespace, pod, 2 * START)
        else:
            pod_status.gone(self.kube, "Pod", pod, self.namespace)


def content(file: Path) -> Sequence[str]:
    """Return the files in a backup; raises UsageError if it is none, or not whole."""
    with _opened(file) as tar:
        return [each.name for each in tar if not each.isdir()]


def demand_begun(file: Path) -> None:
    """Raise UsageError for a file that begins as no backup does, however large it is; no cluster is asked."""
    with _opened(file) as tar:
        if tar.next() is None:
            raise UsageError(f"{file} is a backup of no file", hint=MADE)


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup; raises UsageError where it is none, also while it is read."""
    try:
        with tarfile.open(file, "r:gz") as tar:
            yield tar
    except BROKEN as error:
        raise UsageError(f"{file} is no backup: {one_line(error)}", hint=MADE) from error


def volume(kube: Kube, kubectl: str, manifest: Path | None, namespace: str, workload: str) -> Volume:
    """Return the volume; raises SubjectFault if the subject has no manifest of a pod on it."""
    if manifest is None:
        raise SubjectFault("subject.toml names no manifest of a pod on the agent's volume (storage.pod)")
    return Volume(kube, kubectl, manifest, namespace, workload)
