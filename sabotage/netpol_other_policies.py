"""Sabotages of the network by what is no policy of the agent's pod: of another API, of a pod beside it."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage

SANDBOXED = "manifests/components/sandboxed"
WORLD = """apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: claude-sandboxed
  namespace: claude
spec:
  endpointSelector:
    matchLabels:
      app: claude-agent
  egress:
    - toEntities: [world]
      toPorts:
        - ports:
            - port: "443"
              protocol: TCP
"""

ALLOWED = """apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: claude-sandboxed
  namespace: claude
spec:
  order: 10
  selector: app == 'claude-agent'
  types: [Egress]
  egress:
    - action: Allow
      protocol: TCP
      destination:
        nets: [0.0.0.0/0]
        ports: [443]
"""
APPLIED = """apiVersion: crd.antrea.io/v1beta1
kind: ClusterNetworkPolicy
metadata:
  name: claude-sandboxed
spec:
  priority: 5
  tier: securityops
  appliedTo:
    - podSelector:
        matchLabels:
          app: claude-agent
  egress:
    - action: Allow
"""


@subject_sabotage("netpol-unlisted-hosts-blocked", "with another runtime a policy for Cilium opens the world")
def world_by_cilium(directory: Path) -> None:
    """What one policy allows no other takes back."""
    _beside(directory, WORLD)


def _beside(directory: Path, policy: str) -> None:
    """Have the component with another runtime, which is in no tier, bring a policy more."""
    component = directory / SANDBOXED
    (component / "world.yaml").write_text(policy)
    replace_in(component / "kustomization.yaml", "patches:\n", "resources:\n  - world.yaml\npatches:\n")


@subject_sabotage("netpol-unlisted-hosts-blocked", "with another runtime a policy for Calico opens the world")
def world_by_calico(directory: Path) -> None:
    """Its order is before that of the namespaces' own."""
    _beside(directory, ALLOWED)


@subject_sabotage(
    "netpol-unlisted-hosts-blocked", "with another runtime a policy for Antrea opens everything"
)
def world_by_antrea(directory: Path) -> None:
    """Its tiers come before the namespaces' own policies."""
    _beside(directory, APPLIED)


@manifest_sabotage("netpol-selects-the-pod", "the watch of the token runs under nobody's policy")
def watch_without_a_policy(objects: Objects) -> None:
    """It has the agent's image and its login."""
    objects.remove(find(objects, "NetworkPolicy", "claude-token-watch"))
