"""Sabotages of what tasks do beside what they are called for: delete what lasts, bind roles, make pods."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import subject_sabotage

AGENT = "--serviceaccount=claude:claude-agent"


@subject_sabotage(
    "pvc-survives-pod-deletion", "the task that restarts the agent cleans up first, its claim too"
)
def claim_deleted_by_a_task(directory: Path) -> None:
    """It is what mended a volume of another owner's once."""
    text = (
        "restart: clean\n\tkubectl --namespace claude rollout restart statefulset/claude-agent\n\n"
        "clean:\n\tkubectl --namespace claude delete pvc --all\n"
    )
    (directory / "Makefile").write_text(text)


@subject_sabotage(
    "auth-survives-restart-and-recreate", "the task that ends the container takes its volume along"
)
def volume_removed_by_a_task(directory: Path) -> None:
    (directory / "Makefile").write_text("down:\n\tdocker compose down --volumes --remove-orphans\n")


@subject_sabotage("statefulset-stable-identity", "the task that deploys it has two of it")
def two_by_a_task(directory: Path) -> None:
    """One of them is there while the other is restarted."""
    scale = "kubectl --namespace claude scale statefulset/claude-agent --replicas=2"
    (directory / "Makefile").write_text(f"up:\n\tinv deploy\n\t{scale}\n")


@subject_sabotage("rbac-no-wildcards", "a task makes the agent an administrator of the cluster")
def administrator_by_a_task(directory: Path) -> None:
    """So that it can debug whatever there is."""
    words = f"clusterrolebinding claude-admin --clusterrole=cluster-admin {AGENT}"
    (directory / "Makefile").write_text(f"up:\n\tinv deploy\n\tkubectl create {words}\n")


@subject_sabotage("rbac-no-secrets", "a script binds the agent to the cluster's role edit")
def editor_by_a_script(directory: Path) -> None:
    """That role reads Secrets too."""
    words = f'"rolebinding", "claude-edit", "--clusterrole=edit", "{AGENT}"'
    path = directory / "tasks.py"
    command = f'["kubectl", "--namespace=claude", "create", {words}]'
    path.write_text(f"{path.read_text()}\n\n@task\ndef agent(ctx: Context) -> None:\n    run({command})\n")
