"""The box with a sabotage in it: made, in force, seen to be another one, and removed again."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from boxproof.cluster.images import load
from boxproof.core.process import run
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment import deploy
from boxproof.deployment.sabotage_ways import (
    ClusterSabotage,
    ImageSabotage,
    ManifestSabotage,
    apply_manifest,
    dockerfile_diff,
)
from boxproof.kube.client import Kube
from boxproof.subject import copies, model
from boxproof.subject.image import image_build
from boxproof.subject.supply_chain import provenance
from pytest_claims import sabotages
from pytest_claims.faults import UsageError
from pytest_claims.recording import content_keys
from pytest_claims.sabotages import Sabotage, SabotageError, SubjectSabotage


def prepare(base: Session, sabotage: Sabotage, directory: Path) -> tuple[Session, str]:
    """Return the session the sabotaged subject is proven in, and the diff of the sabotage."""
    suffix = "s" + hashlib.sha256(sabotage.id.encode()).hexdigest()[:6]
    session = replace(base, directory=str(directory), suffix=suffix, sabotage=sabotage.id)
    if isinstance(sabotage, ManifestSabotage):
        return session, _manifest_diff(base, sabotage)
    if isinstance(sabotage, ImageSabotage):
        made = _variant(base, sabotage, suffix)
        wanted = {deploy.LOAD_FIRST: made.reference} if sabotage.load == "full" else {}
        return replace(session, image=made, extra=base.extra | wanted), dockerfile_diff(sabotage)
    if isinstance(sabotage, SubjectSabotage):
        copy = Path(tempfile.mkdtemp(prefix="sabotage-")) / "subject"  # a subject is no part of a report
        shutil.copytree(base.subject, copy, symlinks=True, ignore=copies.left_out(Path(base.subject)))
        return replace(session, subject=str(copy)), sabotages.apply_subject(sabotage, copy)
    return session, f"{sabotage.sentence}\n"


def inapplicable(base: Session, sabotage: Sabotage) -> str:
    """Return why a sabotage cannot be made on the subject, "" where it can: it may lack the file to edit.

    Of the sabotages of an image a build alone can tell.
    """
    loaded = isinstance(sabotage, ImageSabotage) and sabotage.load == "stale"
    if base.cluster is None and (loaded or isinstance(sabotage, ManifestSabotage | ClusterSabotage)):
        return "no manifests of a workload, so no cluster either"
    if not isinstance(sabotage, SubjectSabotage):
        return ""
    subject = Path(base.subject)
    with tempfile.TemporaryDirectory(prefix="sabotage-") as made:
        copy = Path(made) / "subject"
        shutil.copytree(subject, copy, symlinks=True, ignore=copies.left_out(subject))
        try:
            sabotages.apply_subject(sabotage, copy)
        except FileNotFoundError as fault:
            return f"there is no {Path(str(fault.filename)).relative_to(copy)}"
        except SabotageError as fault:
            return fault.message
    return ""


def _manifest_diff(base: Session, sabotage: ManifestSabotage) -> str:
    """Return the diff in the default tier, or, for a sabotage of an opt-in, in the first that shows it."""
    tiers = model.load(Path(base.subject)).tiers.values()
    *earlier, last = dict.fromkeys([(), *tiers])
    for components in earlier:
        try:
            return _diff_with(base, sabotage, components)
        except UsageError:  # not every tier has what it is about
            continue
    return _diff_with(base, sabotage, last)


def _diff_with(base: Session, sabotage: ManifestSabotage, components: tuple[str, ...]) -> str:
    objects = deploy.rendered(base, components=(*deploy.COMPONENTS, *components))[0]
    return apply_manifest(sabotage, objects, model.load(Path(base.subject)))[1]


def _variant(base: Session, sabotage: ImageSabotage, suffix: str) -> ImageInfo:
    """Build the box with one more layer; a stale one leaves the nodes with the old content under its tag."""
    engine, image = base.engine, base.image
    assert engine is not None and image is not None
    made = image_build.variant(engine, image, sabotage.dockerfile, suffix)
    provenance.pass_on(Path(base.cache), image, made)
    if sabotage.load == "stale":
        for node in deploy.cluster_of(base).nodes:
            load.tag_on_node(engine, node, image.reference, made.reference)
    return made


def in_force(sabotage: Sabotage, session: Session) -> AbstractContextManager[None]:
    """Return the block in which a sabotage of the cluster is in force; the others already are."""
    if not isinstance(sabotage, ClusterSabotage):
        return nullcontext()
    return sabotage.cluster(session, Kube(deploy.cluster_of(session).kubeconfig))


def seen_in_force(sabotage: Sabotage, base: Session, session: Session) -> bool:
    """Return whether what the checks asked had the change in it.

    Files and image differ by content, of the rendered objects one set at least had the change. A sabotage of
    the cluster raises itself where it does not take.
    """
    if isinstance(sabotage, SubjectSabotage):
        return content_keys.tree(Path(session.subject)) != content_keys.tree(Path(base.subject))
    if isinstance(sabotage, ImageSabotage):
        before, after = base.image, session.image
        return before is not None and after is not None and before.config_digest != after.config_digest
    if isinstance(sabotage, ManifestSabotage):
        return deploy.in_force(session)
    return True


def remove(sabotage: Sabotage, session: Session) -> None:
    """Remove the instances of one sabotage, and its variant from nodes and engine."""
    if session.cluster is not None:
        deploy.remove_instances(session)
    if isinstance(sabotage, ImageSabotage) and session.image is not None and session.engine is not None:
        if session.cluster is not None:
            load.remove(session.engine, session.cluster, [session.image.reference])
        argv = [session.engine.client, "image", "rm", "--force", session.image.reference]
        run(argv, env=session.engine.env, timeout=120, check=False)
