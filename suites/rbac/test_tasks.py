"""No task of a box gives the agent a role that no manifest does: an administrator's, or an editor's."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.packaging import task_commands
from suites.rbac import bound_by_tasks

NO_WILDCARD = require("no task binds the agent to a role with wildcards", lambda found: found == {})
NO_SECRETS = require("no task binds the agent to a role that reads secrets", lambda found: found == {})
WILD, READING = bound_by_tasks.NO_WILDCARD | {"*"}, bound_by_tasks.READS_SECRETS | {"*", "secrets"}


def doctored(subject: Subject, role: str) -> dict[str, str]:
    """Return tasks that bind the agent to a role: by a command, by a list of words, by an object."""
    account, space = subject.service_account, subject.namespace
    words = (
        "kubectl",
        "create",
        "rolebinding",
        "a",
        f"--clusterrole={role}",
        f"--group=system:serviceaccounts:{space}",
    )
    create = "kubectl create clusterrolebinding a"
    who = f"subjects: [{{kind: ServiceAccount, name: {account}, namespace: {space}}}]"
    binding = f"kind: ClusterRoleBinding\nmetadata: {{name: a}}\nroleRef: {{name: {role}}}\n{who}\n"
    return {
        "Makefile": f"up:\n\t{create} --clusterrole={role} --serviceaccount={space}:{account}\n",
        "tasks.py": f"def up(c):\n    run({list(words)})\n",
        "up.sh": f"kubectl apply -f - <<EOF\n{binding}EOF\n",
    }


def bound(
    asked: str, texts: Mapping[str, str], subject: Subject, roles: frozenset[str]
) -> dict[str, list[str]]:
    """Return which of some roles tasks bind to the agent; an observation."""
    found = bound_by_tasks.among(bound_by_tasks.of_texts(texts, subject), roles)
    return observe("roles bound by tasks", asked, found)


@claim("rbac-no-wildcards")
@scope("image")
def test_no_task_makes_the_agent_an_administrator(subject: Subject) -> None:
    with control("the administrator's role is seen, by a command, a list of words, and an object"):
        for path, text in doctored(subject, "cluster-admin").items():
            NO_WILDCARD.fails(bound(path, {path: text}, subject, WILD))
    NO_WILDCARD(bound("scripts and task runners", task_commands.tasks(subject), subject, WILD))


@claim("rbac-no-secrets")
@scope("image")
def test_no_task_gives_the_agent_a_role_that_reads_secrets(subject: Subject) -> None:
    with control("the editor's role is seen, by a command, a list of words, and an object"):
        for path, text in doctored(subject, "edit").items():
            NO_SECRETS.fails(bound(path, {path: text}, subject, READING))
    NO_SECRETS(bound("scripts and task runners", task_commands.tasks(subject), subject, READING))
