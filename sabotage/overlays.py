"""Sabotages by an overlay beside the base: whoever deploys by it gets the box so."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import subject_sabotage

SET = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: claude-agent}\n"
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: claude-agent}\n"
WRITABLE = "{name: claude, securityContext: {readOnlyRootFilesystem: false}}"


def _lay(directory: Path, name: str, patch: str) -> None:
    """Write an overlay of that name, with one patch of the base."""
    place = directory / "manifests/overlays" / name
    place.mkdir(parents=True)
    (place / "patch.yaml").write_text(patch)
    (place / "kustomization.yaml").write_text("resources: [../../base]\npatches: [{path: patch.yaml}]\n")


@subject_sabotage("statefulset-stable-identity", "an overlay asks for two agents")
def two_by_an_overlay(directory: Path) -> None:
    _lay(directory, "prod", f"{SET}spec: {{replicas: 2}}\n")


@subject_sabotage("iso-root-filesystem-read-only", "an overlay lets the agent write to its root")
def writable_by_an_overlay(directory: Path) -> None:
    _lay(directory, "dev", f"{SET}spec: {{template: {{spec: {{containers: [{WRITABLE}]}}}}}}\n")


@subject_sabotage("netpol-selects-the-pod", "an overlay takes the policy away")
def no_policy_by_an_overlay(directory: Path) -> None:
    _lay(directory, "open", f"$patch: delete\n{POLICY}")
