"""What of the working tree can reach the image: what ``COPY . /`` brings with the subject's ignore file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from boxproof.core.session import EngineInfo
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.image import trial_build

pytestmark = scope("image")

MIB = 1 << 20
LARGEST = 10 * MIB  # bytes; the claim's own upper size, whatever a subject allows itself
HEAVY: dict[str, bytes | int] = {  # what grows in a working tree, at its top and further down
    ".git/objects/pack": 8 * MIB,
    "rootfs/vendored/.git/objects/pack": 4 * MIB,
    "node_modules/left/index.js": MIB,
    "rootfs/node_modules/left/index.js": MIB,
    "data/set.bin": 8 * MIB,
    "tests/test_x.py": MIB,
    "docs/manual.md": MIB,
    ".venv/lib/python3/site.py": MIB,
    "rootfs/usr/__pycache__/a.pyc": MIB,
}
CANARY = b"stub-token-canary-of-the-build-context"
PLACES = (
    ".env", ".env.local", ".env.production", "prod.env", "rootfs/.env", "rootfs/srv/app/.env", "key.pem",
    "rootfs/etc/tls/server.pem", "rootfs/etc/tls/server.key", "server.p12", "id_rsa", ".ssh/id_ed25519",
    ".credentials.json", "credentials.json", "rootfs/home/claude/.claude/.credentials.json", "kubeconfig",
    "kubeconfig.yaml", "rootfs/kubeconfig-prod", ".kube/config", "rootfs/root/.kube/config",
    "admin.kubeconfig", ".netrc", "rootfs/root/.netrc", ".npmrc", ".pypirc", ".git-credentials",
    ".docker/config.json", ".aws/credentials",
    ".config/gcloud/application_default_credentials.json",
)  # fmt: skip
SECRETS = dict.fromkeys(PLACES, CANARY)
LEFT_BEHIND = require("nothing of what grows in a working tree is sent", lambda sent: sent == [])
SMALL = require("something is sent, and no more than {} bytes", lambda sent, bound: 0 < sent <= bound)
STAYS = require(
    "no secret of the working tree is sent", lambda sent: sent["secrets"] == [] and sent["files"] > 0
)
# what people keep beside their work as well, each by the name that its own program gives it
OTHER_PLACES = (
    "prod-kubeconfig.yaml", "rootfs/etc/cluster-kubeconfig", "kube_config_cluster.yml", ".envrc",
    ".claude.json", ".config/gh/hosts.yml", ".config/gcloud/credentials.db", ".config/containers/auth.json",
    ".vault-token", ".azure/msal_token_cache.json", ".terraform.d/credentials.tfrc.json",
    ".cargo/credentials.toml", ".pgpass", ".my.cnf", "service-account.json",
    "rootfs/srv/gcp-service-account-key.json", "release.jks",
    ".gnupg/private-keys-v1.d/0.key",
)  # fmt: skip


@claim("dockerignore-keeps-context-small")
def test_the_context_leaves_out_what_grows(engine: EngineInfo, subject: Subject) -> None:
    bound = min(LARGEST, subject.budgets.context_bytes)
    with trial_build.planted(subject, HEAVY) as (context, ignore):
        with control("without an ignore file all of it is sent"):
            found = trial_build.arrived(engine, context, "")
            assert set(HEAVY) <= set(found)
            SMALL.fails(observe("bytes sent", "no ignore file", sum(found.values())), bound)
            LEFT_BEHIND.fails(observe("sent", "no ignore file", sorted(set(HEAVY) & set(found))))
        found = trial_build.arrived(engine, context, ignore)
    LEFT_BEHIND(observe("sent", "the subject's ignore file", sorted(set(HEAVY) & set(found))))
    SMALL(observe("bytes sent", "the subject's ignore file", sum(found.values())), bound)


@claim("dockerignore-keeps-secrets-out")
def test_a_secret_in_the_working_tree_stays_there(engine: EngineInfo, subject: Subject) -> None:
    deep = f"rootfs/{secrets.token_hex(4)}/{secrets.token_hex(4)}"
    planted = SECRETS | {f"{deep}/{each}": CANARY for each in PLACES if "rootfs" not in each}

    def sent(asked: str, found: Mapping[str, int]) -> dict[str, object]:
        return observe("sent", asked, {"secrets": sorted(set(planted) & set(found)), "files": len(found)})

    with trial_build.planted(subject, planted) as (context, ignore):
        with control("without an ignore file every one of them reaches the image"):
            found = STAYS.fails(sent("no ignore file", trial_build.arrived(engine, context, "")))
            assert found["secrets"] == sorted(planted)
        STAYS(sent("the subject's ignore file", trial_build.arrived(engine, context, ignore)))


@claim("dockerignore-keeps-secrets-out")
def test_no_other_credential_of_a_working_tree_is_sent(engine: EngineInfo, subject: Subject) -> None:
    deep = f"rootfs/{secrets.token_hex(4)}"
    planted = {each: CANARY for one in OTHER_PLACES for each in (one, f"{deep}/{one}")}

    def sent(asked: str, found: Mapping[str, int]) -> dict[str, object]:
        return observe("sent", asked, {"secrets": sorted(set(planted) & set(found)), "files": len(found)})

    with trial_build.planted(subject, planted) as (context, ignore):
        with control("without an ignore file every one of them reaches the image"):
            found = STAYS.fails(sent("no ignore file", trial_build.arrived(engine, context, "")))
            assert found["secrets"] == sorted(planted)
        STAYS(sent("the subject's ignore file", trial_build.arrived(engine, context, ignore)))


# what agents, and the programs that they are let work with, keep beside one's work
OF_PROGRAMS = (
    ".codex/auth.json", ".gemini/oauth_creds.json", ".config/opencode/auth.json", "terraform.tfstate",
    "infra/terraform.tfstate.backup", "prod.tfvars", "prod.auto.tfvars.json", "secrets.yaml", "secrets.json",
    ".s3cfg", ".boto", ".dockercfg", ".htpasswd", "keys.kdbx", "deploy.ppk",
)  # fmt: skip


@claim("dockerignore-keeps-secrets-out")
def test_no_login_of_an_agent_and_no_state_with_secrets_is_sent(engine: EngineInfo, subject: Subject) -> None:
    deep = f"rootfs/{secrets.token_hex(4)}"
    planted = {each: CANARY for one in OF_PROGRAMS for each in (one, f"{deep}/{one}")}

    def sent(asked: str, found: Mapping[str, int]) -> dict[str, object]:
        return observe("sent", asked, {"secrets": sorted(set(planted) & set(found)), "files": len(found)})

    with trial_build.planted(subject, planted) as (context, ignore):
        with control("without an ignore file every one of them reaches the image"):
            found = STAYS.fails(sent("no ignore file", trial_build.arrived(engine, context, "")))
            assert found["secrets"] == sorted(planted)
        STAYS(sent("the subject's ignore file", trial_build.arrived(engine, context, ignore)))
