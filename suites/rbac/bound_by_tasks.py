"""Which roles tasks of a box bind to the agent's account: by commands, or objects within a script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from boxproof.subject.manifests import compose_file, plain_yaml
from boxproof.subject.model import Subject
from suites import box_tasks

NO_WILDCARD = frozenset({"cluster-admin"})  # what its rules have
READS_SECRETS = NO_WILDCARD | {"admin", "edit"}
CREATES = re.compile(r"\bcreate (?P<kind>cluster)?rolebinding\b(?P<rest>[^\n;&|]*)")
SETS = re.compile(r"\bset subject (?:cluster)?rolebindings?[ /](?P<role>[\w:-]+)(?P<rest>[^\n;&|]*)")
OPENSHIFT = re.compile(
    r"\bpolicy add-(?:cluster-)?role-to-(?:user|group) (?P<role>[\w:-]+)(?P<rest>[^\n;&|]*)"
)
MADE = re.compile(r"\bcreate (?:cluster)?role (?P<role>[\w:${}.-]+)(?P<rest>[^\n;&|]*)")
ROLE = re.compile(r"--(?:cluster)?role[= ](?P<role>[^\s,]+)")
WHO = re.compile(r"--(?P<how>serviceaccount|group|user)[= ](?P<name>\S+)")
SERVED = re.compile(r"(?:-z|--serviceaccount)[= ](?P<name>\S+)")
WILD = re.compile(r"--(?:verb|resource|non-resource-url)[= ]\S*\*")
SECRETS = re.compile(r"--resource[= ](?:\S*,)?secrets?\b")
WRITTEN = re.compile(
    r"<<-?\s*[\"']?(?P<end>\w+)[\"']?[^\n]*\n(?P<text>.*?)^\s*(?P=end)\s*$", re.DOTALL | re.MULTILINE
)
USER = "system:serviceaccount:"
EVERY = ("system:serviceaccounts", "system:authenticated")


def of_texts(texts: Mapping[str, str], subject: Subject) -> dict[str, list[str]]:
    """Return the roles that tasks bind to the agent's account, by the tasks.

    One that a task makes itself is "*" with a wildcard in it, and "secrets" where it has a right to these.
    """
    every = box_tasks.tasks(texts)
    plain = {each.where: each.commands.replace('"', "").replace("'", "") for each in every}
    made = {name: like for text in plain.values() for name, like in _made(text)}
    found = {
        where: [made.get(one, one) for one in _commanded(text, subject)] for where, text in plain.items()
    }
    for path, text in texts.items():
        found[path] = [*found.get(path, ()), *_written(text, subject)]
    return {where: sorted(set(roles)) for where, roles in found.items() if roles}


def among(found: Mapping[str, list[str]], roles: frozenset[str]) -> dict[str, list[str]]:
    """Return what of ``of_texts`` is one of some roles."""
    kept = {where: [each for each in many if each in roles] for where, many in found.items()}
    return {where: many for where, many in kept.items() if many}


def _made(text: str) -> Iterator[tuple[str, str]]:
    for each in MADE.finditer(text):
        if WILD.search(each["rest"]):
            yield each["role"], "*"
        elif SECRETS.search(each["rest"]):
            yield each["role"], "secrets"


def _commanded(text: str, subject: Subject) -> Iterator[str]:
    """Give the roles that lines of a shell bind to the agent."""
    for each in CREATES.finditer(text):
        role, who = ROLE.search(each["rest"]), WHO.finditer(each["rest"])
        if role and any(_is_agent(one["how"], one["name"], subject) for one in who):
            yield role["role"]
    for each in SETS.finditer(text):
        if any(_is_agent(one["how"], one["name"], subject) for one in WHO.finditer(each["rest"])):
            yield each["role"]
    for each in OPENSHIFT.finditer(text):
        words = [one for one in each["rest"].split() if one.startswith("system:")]
        accounts = [one["name"] for one in SERVED.finditer(each["rest"])]
        own = any(one in (subject.service_account, f"$({subject.service_account})") for one in accounts)
        if own or any(_is_agent("user", one, subject) or _is_agent("group", one, subject) for one in words):
            yield each["role"]


def _is_agent(how: str, name: str, subject: Subject) -> bool:
    """Return whether it is the agent's account, or a group that it is in; a variable may be its namespace."""
    if how == "group":
        return name in EVERY or _in(name, f"{EVERY[0]}:", subject)
    bare = name.removeprefix(USER) if how == "user" else name
    space, colon, account = bare.partition(":")
    return bool(colon) and account == subject.service_account and (space == subject.namespace or "$" in space)


def _in(name: str, group: str, subject: Subject) -> bool:
    space = name.removeprefix(group)
    return name.startswith(group) and (space == subject.namespace or "$" in space)


def _written(text: str, subject: Subject) -> Iterator[str]:
    """Give the roles that bindings in a script's own text give the agent."""
    for each in WRITTEN.finditer(text):
        try:
            documents = list(plain_yaml.load_all(each["text"], compose_file.Tolerant, once=False))
        except (yaml.YAMLError, ValueError, RecursionError):
            continue  # another language, or words with variables that are none
        for one in map(plain_yaml.mapping, documents):
            if one.get("kind") in ("RoleBinding", "ClusterRoleBinding") and _names(one, subject):
                yield str(plain_yaml.mapping(one.get("roleRef")).get("name"))


def _names(binding: Mapping[str, Any], subject: Subject) -> bool:
    for each in map(plain_yaml.mapping, binding.get("subjects") or ()):
        name, space = str(each.get("name")), each.get("namespace") or subject.namespace
        if each.get("kind") == "ServiceAccount" and _is_agent("serviceaccount", f"{space}:{name}", subject):
            return True
        if each.get("kind") in ("Group", "User") and _is_agent(str(each["kind"]).lower(), name, subject):
            return True
    return False
