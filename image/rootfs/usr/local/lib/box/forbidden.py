"""Passes kubectl's standard error on as it comes; for each Forbidden, says at the end which right is missing.

The tiers are those of the manifests: what each of their roles grants, by API group and resource.
"""

import os
import re
import signal
import sys

KEPT = 65536  # bytes of the end that are read for the API server's sentence
SENTENCE = re.compile(
    r"cannot (?P<verb>\w+) "
    r'(?:resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"|path "(?P<path>[^"]+)")'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
READ = "get list watch"
TIERS = {
    "default (role claude-reader)": {
        "": {
            "configmaps endpoints events namespaces nodes persistentvolumeclaims persistentvolumes"
            " pods pods/log pods/status replicationcontrollers resourcequotas serviceaccounts services": READ
        },
        "apps": {"daemonsets deployments replicasets statefulsets": READ},
        "batch": {"cronjobs jobs": READ},
        "networking.k8s.io": {"ingresses networkpolicies": READ},
        "discovery.k8s.io": {"endpointslices": READ},
        "events.k8s.io": {"events": READ},
        "autoscaling": {"horizontalpodautoscalers": READ},
        "storage.k8s.io": {"storageclasses": READ},
        "apiextensions.k8s.io": {"customresourcedefinitions": READ},
    },
    "operator (component rbac-operator)": {
        "": {"pods": "delete", "pods/exec": "create get"},
        "apps": {"daemonsets deployments statefulsets": "patch"},
    },
}


def rights(tier: str) -> set[tuple[str, str, str]]:
    """Return what a tier grants: verb, API group, resource."""
    return {
        (verb, group, resource)
        for group, many in TIERS[tier].items()
        for resources, verbs in many.items()
        for resource in resources.split()
        for verb in verbs.split()
    }


def hints(said: str) -> list[str]:
    """Return a line for each right that the API server found missing, each once."""
    return list(dict.fromkeys(_hint(each) for each in SENTENCE.finditer(said)))


def _hint(found: re.Match[str]) -> str:
    verb, group = found["verb"], found["group"] or ""
    if found["path"]:
        return f'missing right: verb "{verb}" on the path "{found["path"]}"; no tier of this box grants it'
    where = f'in namespace "{found["namespace"]}"' if found["namespace"] else "in the whole cluster"
    tiers = [each for each in TIERS if (verb, group, found["resource"]) in rights(each)]
    grant = f"the tier that grants it: {', '.join(tiers)}" if tiers else "no tier of this box grants it"
    of = f'API group "{group}"' if group else "the core API group"
    return f'missing right: verb "{verb}" on resource "{found["resource"]}" of {of} {where}; {grant}'


def main() -> None:
    """Copy standard input to standard output, then add the hints."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for kubectl; this one ends when kubectl has
    end = b""
    try:
        while data := os.read(0, KEPT):
            os.write(1, data)
            end = (end + data)[-KEPT:]
        for each in hints(end.decode(errors="replace")):
            os.write(1, f"{each}\n".encode())
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
