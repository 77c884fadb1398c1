"""Which roles tasks bind to the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.model import Subject
from suites.rbac import bound_by_tasks

OBJECT = "kind: ClusterRoleBinding\nmetadata: {name: x}\nroleRef: {kind: ClusterRole, name: cluster-admin}\n"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    told = {"directory": tmp_path, "name": "box", "namespace": "a", "service_account": "agent"}
    return Subject.model_validate(told)


@pytest.mark.parametrize(
    ("path", "text", "roles"),
    [
        ("a.sh", "kubectl create clusterrolebinding x --clusterrole=cluster-admin --serviceaccount=a:agent",
         ["cluster-admin"]),
        ("Makefile", "NS := a\nup:\n\tkubectl create clusterrolebinding x \\\n"
         "\t  --clusterrole cluster-admin --serviceaccount $(NS):agent\n", ["cluster-admin"]),
        ("tasks.py", 'def up(c):\n    run(["kubectl", "create", "rolebinding", "x",\n'
         '         "--clusterrole", "edit", "--serviceaccount", "a:agent"])\n', ["edit"]),
        ("a.sh", "kubectl create clusterrolebinding x --clusterrole=admin --group=system:serviceaccounts",
         ["admin"]),
        ("a.sh", "kubectl create clusterrolebinding x --role=admin --user=system:serviceaccount:a:agent",
         ["admin"]),
        ("a.sh", "kubectl set subject clusterrolebinding cluster-admin --serviceaccount=a:agent",
         ["cluster-admin"]),
        ("a.sh", "oc adm policy add-cluster-role-to-user cluster-admin -z agent -n a", ["cluster-admin"]),
        ("a.sh", "kubectl create clusterrole all --verb='*' --resource='*.*'\n"
         "kubectl create clusterrolebinding x --clusterrole=all --serviceaccount=a:agent", ["*"]),
        ("a.sh", "kubectl create role see --verb=get --resource=pods,secrets\n"
         "kubectl create rolebinding x --role=see --serviceaccount=a:agent", ["secrets"]),
        ("Taskfile.yml", f"tasks:\n  up:\n    cmds:\n      - |\n        kubectl apply -f - <<EOF\n"
         f"{OBJECT}subjects: [{{kind: ServiceAccount, name: agent, namespace: $NS}}]\n        EOF\n",
         ["cluster-admin"]),
    ],
)  # fmt: skip
def test_a_role_of_the_agents_is_seen(subject: Subject, path: str, text: str, roles: list[str]) -> None:
    found = bound_by_tasks.of_texts({path: text}, subject)
    assert [each for many in found.values() for each in many] == roles


@pytest.mark.parametrize(
    "text",
    [
        "kubectl create clusterrolebinding x --clusterrole=cluster-admin --serviceaccount=b:dashboard",
        "kubectl create clusterrolebinding x --clusterrole=cluster-admin --user=me@example.com",
        "kubectl create clusterrolebinding x --clusterrole=cluster-admin --serviceaccount=b:agent",
        "echo 'never: kubectl create clusterrolebinding x --clusterrole=admin --serviceaccount=a:agent'",
        f"kubectl apply -f - <<EOF\n{OBJECT}subjects: [{{kind: User, name: me}}]\nEOF\n",
    ],
)
def test_others_are_none(subject: Subject, text: str) -> None:
    assert bound_by_tasks.of_texts({"a.sh": text}, subject) == {}


def test_what_is_among_some_roles_is_kept() -> None:
    found = {"a.sh": ["view"], "b.sh": ["edit", "view"]}
    assert bound_by_tasks.among(found, bound_by_tasks.READS_SECRETS) == {"b.sh": ["edit"]}
