"""What the agent's workload shows: container, user, account, volume, and what users make by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from boxproof.subject.detection.deployed.kustomize import Way
from boxproof.subject.detection.directory import Placed
from boxproof.subject.detection.findings import HELPERS, RUNTIME, STATE, Detected
from boxproof.subject.manifests.pod_specs import is_filled_in, labels, pod_spec
from boxproof.subject.model import LABEL

LOGIN = re.compile(r".*(TOKEN|API_KEY|APIKEY)$")
# of the makers of models first: an agent may have logins of other services beside its own
OF_MODELS = re.compile(
    r"(ANTHROPIC|CLAUDE|OPENAI|CODEX|GEMINI|GOOGLE|MISTRAL|GROQ|XAI|DEEPSEEK|OPENROUTER|LITELLM|LLM|MODEL)_"
)
OF_OTHERS = re.compile(
    r"(.*_)?(GH|GITHUB|GITLAB|GIT|GITEA|BITBUCKET|NPM|NODE|PYPI|CARGO|SLACK|DISCORD|TELEGRAM|JIRA|SENTRY|VAULT"
    r"|AWS|AZURE|HF|DATADOG|GRAFANA|ARGOCD|SONAR|LINEAR|NOTION|BRAVE|TAVILY|REGISTRY|WEBHOOK|BOT"
    r"|TF|TFE|TFC|TERRAFORM|PULUMI|INFRACOST|CONSUL|NOMAD|BOUNDARY|CLOUDFLARE|CF|DIGITALOCEAN|HCLOUD|HETZNER"
    r"|LINODE|FLY|VERCEL|NETLIFY|DOCKER|DOCKERHUB|QUAY|SNYK|LANGFUSE|LANGSMITH|LANGCHAIN|STRIPE|FIGMA|CONTEXT7"
    r"|SERPER|SERPAPI|EXA|FIRECRAWL|PAGERDUTY|CONFLUENCE|ATLASSIAN|CIRCLECI|BUILDKITE|CODECOV|NGROK|TS"
    r"|TAILSCALE|KUBE|ARGO)_.*"
)


def workload(
    found: Detected, chosen: Placed, placed: list[Placed], *, custom: bool, way: Way | None = None
) -> None:
    """Note which object is the agent, and what its pod says; ``way`` is how kustomize comes to it."""
    where, item = f"{chosen.path}:{chosen.line}", chosen.item
    meta = _made(item["metadata"], way)
    spaces = [each for each in placed if each.item["kind"] == "Namespace"]
    space = meta.get("namespace") or (spaces[0].item["metadata"]["name"] if len(spaces) == 1 else "")
    found.add("kind", item["kind"], where)
    found.add("workload", meta.get("name", ""), where)
    if space and not re.fullmatch(LABEL, str(space)):
        found.remarks.append(f"namespace: {where} has {space}, which somebody fills in")
        space = ""
    found.add(
        "namespace", space, where if meta.get("namespace") else str(spaces[0].path) if spaces else where
    )
    if custom:
        _made_by_operator(found, item, meta)
        if not (pod_spec(item) or {}).get("containers"):
            return
    spec = pod_spec(item) or {}
    container = agents_container(spec)
    found.add("container", container.get("name", ""), where)
    found.add("service_account", _account(spec, placed, way), where)
    own, pods = container.get("securityContext") or {}, spec.get("securityContext") or {}
    runs = own.get("runAsUser", pods.get("runAsUser"))
    if isinstance(runs, int):  # not what somebody fills in
        found.drop("uid")
        found.add("uid", runs, f"{where}, runAsUser")
    config_dir(found, item, spec, container, where)
    made = {each.item["metadata"]["name"] for each in placed if each.item["kind"] == "Secret"}
    made |= way.made if way else set()
    needed(found, spec, container, made, where)
    image = str(container.get("image", ""))
    image = way.image(image) if way else image
    if found.get("image.dockerfile") is None and image and not is_filled_in(image):
        found.drop("image.reference")  # a Compose file may run another
        found.add("image.reference", image, where)


def _made_by_operator(found: Detected, item: dict[str, Any], meta: dict[str, Any]) -> None:
    """Remark that an operator makes the agent's pods, and by which labels it may be known."""
    own = [f"{name}={value}" for name, value in labels(item).items()]
    guess = f'pod_selector = "{",".join(own) or "app.kubernetes.io/instance=" + str(meta.get("name"))}"'
    told = f"an operator makes the pods of this {item['kind']}: where it is in the cluster, their labels"
    found.remarks.append(f"{told} say which they are ({guess}); without them the proof ends with the image")


def _made(meta: dict[str, Any], way: Way | None) -> dict[str, Any]:
    """Return the name and namespace of an object as kustomize makes them."""
    if way is None:
        return meta
    name, space = way.called(str(meta.get("name", ""))), way.namespace or meta.get("namespace")
    return {**meta, "name": name, "namespace": space}


def _account(spec: dict[str, Any], placed: list[Placed], way: Way | None) -> str:
    """Return the account of a pod; one that is built along has its name from kustomize too."""
    name = str(spec.get("serviceAccountName", ""))
    accounts = [each for each in placed if each.item["kind"] == "ServiceAccount"]
    own = [each.path for each in accounts if each.item["metadata"]["name"] == name]
    return way.called(name) if way and any(map(way.takes, own)) else name


def agents_container(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the first container whose name is no helper's, else the first."""
    every: list[dict[str, Any]] = spec.get("containers") or [{}]
    return next((each for each in every if not HELPERS.search(str(each.get("name", "")))), every[0])


def config_dir(
    found: Detected, item: dict[str, Any], spec: dict[str, Any], container: dict[str, Any], where: str
) -> None:
    """Note where the container is told to keep its state, else the mount of the volume that lasts.

    That mount counts where nothing named the directory yet.
    """
    given = {str(each.get("name")): each.get("value") or "" for each in container.get("env") or ()}
    found.keeps(given, f"{where}, env", last=True)
    lasting = {each.get("name") for each in spec.get("volumes") or () if "persistentVolumeClaim" in each}
    templates = item["spec"].get("volumeClaimTemplates") or ()
    lasting |= {(each.get("metadata") or {}).get("name") for each in templates}
    mounted = [each for each in container.get("volumeMounts") or () if each.get("name") in lasting]
    mounts = [str(each["mountPath"]) for each in mounted if each.get("mountPath")]
    mounts = [each for each in mounts if STATE.fullmatch(each) or not RUNTIME.fullmatch(each)]
    hidden = [each for each in mounts if "/." in each] or mounts
    if found.get("config_dir") is None and hidden:
        every = [str(each.get("mountPath")).rstrip("/") for each in container.get("volumeMounts") or ()]
        around = [each for each in every if STATE.fullmatch(each) and hidden[0].startswith(f"{each}/")]
        told = "the mount around that of its volume" if around else "the mount of its volume"
        found.add("config_dir", next(iter([*around, *hidden])), f"{where}, {told}")


def login_of(found: Detected, names: Sequence[str], where: str) -> None:
    """Note the variable that has the agent's login, where one of them may have it and none is known yet."""
    able = [each for each in names if LOGIN.fullmatch(each) and not OF_OTHERS.fullmatch(each)]
    chosen = next(iter([*filter(OF_MODELS.match, able), *able]), None)
    if chosen and found.get("start.token_env") is None:
        found.add("start.token_env", chosen, f"{where}, env")


def needed(
    found: Detected, spec: dict[str, Any], container: dict[str, Any], made: set[str], where: str
) -> None:
    """Note the login's variable, and the Secrets that users make by hand."""
    secrets: dict[str, dict[str, str]] = {}
    for each in container.get("env") or ():
        reference = (each.get("valueFrom") or {}).get("secretKeyRef") or {}
        if reference.get("name") and reference["name"] not in made and not reference.get("optional"):
            secrets.setdefault(str(reference["name"]), {})[str(reference.get("key"))] = "test-value"
    login_of(found, [str(each.get("name")) for each in container.get("env") or ()], where)
    for each in container.get("envFrom") or ():
        name = (each.get("secretRef") or {}).get("name", "")
        if name and name not in made:
            secrets.setdefault(name, {})
    for each in spec.get("volumes") or ():
        name = (each.get("secret") or {}).get("secretName", "")
        if name and name not in made and not each["secret"].get("optional"):
            secrets.setdefault(name, {}).setdefault("token", "test-value")
    found.add("start.secrets", secrets, f"{where}, Secrets that no file makes")
