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


@subject_sabotage("netpol-unlisted-hosts-blocked", "with another runtime a policy for Cilium opens the world")
def world_by_cilium(directory: Path) -> None:
    """What one policy allows no other takes back."""
    component = directory / SANDBOXED
    (component / "world.yaml").write_text(WORLD)
    replace_in(component / "kustomization.yaml", "patches:\n", "resources:\n  - world.yaml\npatches:\n")


@manifest_sabotage("netpol-selects-the-pod", "the watch of the token runs under nobody's policy")
def watch_without_a_policy(objects: Objects) -> None:
    """It has the agent's image and its login."""
    objects.remove(find(objects, "NetworkPolicy", "claude-token-watch"))
