"""The labels of what runs make, and those KIND gives its nodes: a sweep finds what carries them."""

from pathlib import Path

from boxproof.core.process import owner

RUN_LABEL = "boxproof.dev/run"
KEPT_LABEL = "boxproof.dev/kept"
ROLE_LABEL = "boxproof.dev/role"
KIND_CLUSTER_LABEL = "io.x-k8s.kind.cluster"
KIND_ROLE_LABEL = "io.x-k8s.kind.role"


def run_labels(run: str) -> dict[str, str]:
    """Return the labels of everything that ``run`` creates in the engine."""
    return {RUN_LABEL: run}


def labels_here() -> dict[str, str]:
    """Return the labels for what is made in the engine by the run that this process belongs to, if any."""
    return run_labels(Path(owner()).stem) if owner() else {}
