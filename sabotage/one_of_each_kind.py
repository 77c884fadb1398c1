"""One defect more for each kind of check that is easily weaker than its sentence: all are to be refuted.

The whole space and not points in it; rights by a name; a decoy that differs in one thing; the mode that
is shipped; a bound in the sentence; what lasts longer than a moment; a yardstick of the subject's own; its
report about itself; all that ships; every form of a secret; the real thing and no copy; what users set.
"""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, agent_policy, by_name, let_out, ports, rules_of

FAKE = "sk-ant-" + "oat01-" + "y" * 40  # has the shape of a token, and is none
CLI = "/usr/local/bin/claude"


@manifest_sabotage("netpol-other-ports-blocked", "443 is open to every address over a protocol nobody tries")
def over_sctp(objects: Objects) -> None:
    """What connects over TCP and UDP sees nothing of it."""
    let_out(objects, {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": ports(443, "SCTP")})


@manifest_sabotage("rbac-no-destructive", "the reader may evict one pod, by its name")
def evicts_one_pod(objects: Objects) -> None:
    """An eviction is a deletion under another verb, of another resource."""
    rules_of(objects).append(by_name("", "pods/eviction", ["create"], "claude-egress-0"))


@manifest_sabotage("netpol-dns-only-to-kube-dns", "the resolver is a pod with either of two labels")
def either_of_two_resolvers(objects: Objects) -> None:
    """Who may label a pod in that namespace is a resolver."""
    rule = next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 53)
    either = {"key": "k8s-app", "operator": "In", "values": ["kube-dns", "another-dns"]}
    rule["to"][0]["podSelector"] = {"matchExpressions": [either]}


image_sabotage(
    "dropped_in_the_default_mode", "args-pass-through", "remote control does not hand its arguments on",
    dockerfile=edited("/usr/local/bin/entrypoint", '/^remote-control\\)/s/ "\\$@"//'),
)  # fmt: skip


@manifest_sabotage("memory-limit-sized-for-the-agent", "it asks for a thousandth of a processor too little")
def a_little_less(objects: Objects) -> None:
    """The bound is 500m, and not about that."""
    agent_of(objects)["resources"]["requests"]["cpu"] = "499m"


@manifest_sabotage("token-expiry-monitored", "the watch comes often, and not at weekends")
def watch_rests_at_weekends(objects: Objects) -> None:
    """Who looks on a Monday sees it come."""
    find(objects, "CronJob")["spec"]["schedule"] = "*/10 * * * 1-5"


@subject_sabotage("rbac-no-secrets", "secrets are read, and the file of what was reviewed says so too")
def reviewed_along(directory: Path) -> None:
    """The yardstick was moved with what it measures."""
    replace_in(
        directory / "manifests/base/rbac-reader.yaml",
        "      - services\n",
        "      - secrets\n      - services\n",
    )
    golden = directory / "manifests/golden/default.txt"
    golden.write_text(f"{golden.read_text()}secrets [get list watch]\n")


image_sabotage(
    "planned_for_twice_as_much", "limits-read-from-cgroup",
    "the helper tells the limit, and programs are told twice as much",
    dockerfile=edited(
        "/usr/local/lib/box/limits.py",
        r"s/heap = int\(limits\.memory_bytes \* HEAP\)/heap = limits.memory_bytes * 2/",
    ),
)  # fmt: skip


@subject_sabotage("no-latest-in-manifests", "an example of values for the chart takes whatever is latest")
def latest_in_an_example(directory: Path) -> None:
    """It is no manifest, and becomes one."""
    text = "agents:\n  alpha:\n    image:\n      tag: latest\n"
    (directory / "chart/examples/newest.yaml").write_text(text)


image_sabotage(
    "token_in_a_label", "no-secret-in-any-layer", "a label of the image has a token in it",
    dockerfile=f"LABEL org.example.login={FAKE}",
)  # fmt: skip
image_sabotage(
    "wrapper_says_the_version", "claude-code-version-pinned",
    "a script says the pinned version, and starts something else",
    dockerfile=as_root(
        f"said=$({CLI} --version)", f"mv {CLI} /opt/other",
        rf"""printf '#!/bin/sh\n[ "$1" = --version ] && exec echo "%s"\nexec /opt/other "$@"\n' """
        rf""""$said" > {CLI}""",
        f"chmod 0755 {CLI}",
    ),
)  # fmt: skip


@subject_sabotage("iso-pod-is-bounded", "no document says what bounds the processes of a pod")
def processes_not_documented(directory: Path) -> None:
    """It is a setting of the kubelet's: who installs the box has to be told."""
    for path in (directory / "docs").glob("*.md"):
        path.write_text(path.read_text().replace("podPidsLimit", "its settings"))
