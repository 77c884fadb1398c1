"""What of the working tree can reach the image: what ``COPY . /`` brings with the subject's ignore file."""

from __future__ import annotations

from boxproof.core.session import EngineInfo
from boxproof.subject.image import trial_build
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope

pytestmark = scope("image")

MIB = 1 << 20
HEAVY: dict[str, bytes | int] = {  # what grows in a working tree, at its top and further down
    ".git/objects/pack": 8 * MIB,
    "node_modules/left/index.js": MIB,
    "rootfs/node_modules/left/index.js": MIB,
    "data/set.bin": 8 * MIB,
    "tests/test_x.py": MIB,
    "docs/manual.md": MIB,
}
CANARY = b"stub-token-canary-of-the-build-context"
PLACES = (
    ".env", ".env.local", "rootfs/.env", "key.pem", "rootfs/etc/tls/server.pem", "id_rsa",
    ".ssh/id_ed25519", ".credentials.json", "rootfs/home/claude/.claude/.credentials.json", "kubeconfig",
    ".kube/config", "rootfs/root/.kube/config", "admin.kubeconfig", ".netrc", ".npmrc",
    ".docker/config.json",
)  # fmt: skip
SECRETS = dict.fromkeys(PLACES, CANARY)


@claim("dockerignore-keeps-context-small")
def test_the_context_leaves_out_what_grows(engine: EngineInfo, subject: Subject) -> None:
    with trial_build.planted(subject, HEAVY) as (context, ignore):
        with control("without an ignore file all of it is sent"):
            found = trial_build.arrived(engine, context, "")
            assert set(HEAVY) <= set(found)
            assert sum(found.values()) > subject.budgets.context_bytes
            observe("bytes sent", "no ignore file", sum(found.values()))
            observe("sent", "no ignore file", sorted(set(HEAVY) & set(found)))
        found = trial_build.arrived(engine, context, ignore)
    assert observe("sent", "the subject's ignore file", sorted(set(HEAVY) & set(found))) == []
    assert observe("bytes sent", "the subject's ignore file", sum(found.values())) > 0
    assert sum(found.values()) <= subject.budgets.context_bytes


@claim("dockerignore-keeps-secrets-out")
def test_a_secret_in_the_working_tree_stays_there(engine: EngineInfo, subject: Subject) -> None:
    with trial_build.planted(subject, SECRETS) as (context, ignore):
        with control("without an ignore file every one of them reaches the image"):
            found = trial_build.arrived(engine, context, "")
            assert observe("secrets sent", "no ignore file", sorted(set(SECRETS) & set(found))) == sorted(
                SECRETS
            )
        found = trial_build.arrived(engine, context, ignore)
    assert found, "nothing arrives at all"
    assert observe("secrets sent", "the subject's ignore file", sorted(set(SECRETS) & set(found))) == []
