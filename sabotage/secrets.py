"""Sabotages that leave a secret where it does not belong."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import yaml

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage

FAKE = "sk-ant-" + "oat01-" + "x" * 40  # has the shape of a token, and is none


def layers_as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, each in a layer of its own."""
    return "\n".join(["USER root", *(f"RUN {each}" for each in commands), "USER 1000:1000"])


image_sabotage(
    "kubeconfig_copied_and_deleted", "no-secret-in-any-layer", "a kubeconfig is copied in, and deleted later",
    dockerfile=layers_as_root(
        "mkdir -p /root/.kube && echo 'users: []' > /root/.kube/config", "rm -rf /root/.kube"
    ),
)  # fmt: skip
image_sabotage(
    "login_deleted_later", "no-secret-in-any-layer", "a step logs in, and a later one removes what that left",
    dockerfile=layers_as_root(
        f"""echo '{{"claudeAiOauth":{{"accessToken":"{FAKE}"}}}}' > /opt/state.json""", "rm /opt/state.json"
    ),
)  # fmt: skip
image_sabotage(
    "token_in_the_environment", "no-secret-in-any-layer", "a token is a setting of the image",
    dockerfile=f"ENV CLAUDE_CODE_OAUTH_TOKEN={FAKE}",
)  # fmt: skip

PRIVATE, SUBJECT = "image/private.Dockerfile", "subject.toml"
MOUNTED = "--mount=type=secret,id=netrc,required=true"


def replace(path: Path, *edits: tuple[str, str]) -> None:
    """Replace texts in a file; each must be there."""
    text = path.read_text()
    for old, new in edits:
        if old not in text:
            raise SabotageError(f"no {old!r} in {path.name}")
        text = text.replace(old, new)
    path.write_text(text)


@subject_sabotage("no-secret-in-build-args", "the password is a build argument, used once")
def password_as_argument(directory: Path) -> None:
    """Give the password the way everybody did before there were secret mounts."""
    replace(
        directory / PRIVATE,
        (f"RUN {MOUNTED} ", "ARG PASSWORD\nRUN "),
        ("--netrc-file /run/secrets/netrc", '-u "boxproof:${PASSWORD}"'),
    )
    lent, given = '"--secret", "id=netrc,src={netrc}"', '"--build-arg", "PASSWORD={password}"'
    replace(directory / SUBJECT, (lent, given))


@subject_sabotage("no-secret-in-build-args", "one step keeps the netrc file, and a later one deletes it")
def kept_then_deleted(directory: Path) -> None:
    """Copy the secret out of its mount for a while."""
    replace(
        directory / PRIVATE,
        ("USER 1000:1000", "RUN rm -f /root/.netrc\nUSER 1000:1000"),
        ("    curl", "    cp /run/secrets/netrc /root/.netrc && curl"),
    )


@subject_sabotage("no-secret-in-build-args", "the netrc file is copied out of its mount, into the layer")
def mount_copied(directory: Path) -> None:
    """Leave the secret in the image."""
    replace(directory / PRIVATE, ("    curl", "    cp /run/secrets/netrc /root/.netrc && curl"))


@subject_sabotage("secret-mount-works", "a download that fails is no failure of the build")
def failure_ignored(directory: Path) -> None:
    """Let the build go on without its dependency."""
    replace(
        directory / PRIVATE,
        (",required=true", ""),
        ('"${URL}"', '"${URL}" || touch "/usr/local/bin/${NAME}"'),
    )


def token_setting(objects: Objects) -> dict[str, object]:
    """Return the setting by which the pod gets its token."""
    containers = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    env = [each for container in containers for each in container.get("env", ())]
    return next(each for each in env if each["name"] == "CLAUDE_CODE_OAUTH_TOKEN")


def token_of(objects: Objects) -> str:
    """Return the token itself."""
    return b64decode(find(objects, "Secret", "claude-token")["data"]["token"]).decode()


@manifest_sabotage("pod-spec-holds-no-literal-token", "the token is a literal in the pod's environment")
def literal_token(objects: Objects) -> None:
    """Write the token where its reference was."""
    setting = token_setting(objects)
    setting.pop("valueFrom")
    setting["value"] = token_of(objects)


@manifest_sabotage("pod-spec-holds-no-literal-token", "the token is one of the settings in the ConfigMap")
def token_in_the_config_map(objects: Objects) -> None:
    """Have the pod read it from there."""
    find(objects, "ConfigMap", "claude-config")["data"]["TOKEN"] = token_of(objects)
    setting = token_setting(objects)
    setting["valueFrom"] = {"configMapKeyRef": {"name": "claude-config", "key": "TOKEN"}}


@manifest_sabotage("secret-encrypted-at-rest", "the token is kept in a ConfigMap, which nothing encrypts")
def kept_in_a_config_map(objects: Objects) -> None:
    """Keep it in both places."""
    find(objects, "ConfigMap", "claude-config")["data"]["TOKEN"] = token_of(objects)


@manifest_sabotage("secret-encrypted-at-rest", "a note on the Secret holds its content in plain words")
def noted_on_the_workload(objects: Objects) -> None:
    """Do what a tool that remembers the last manifest does, on an object that is not encrypted."""
    meta = find(objects, "StatefulSet")["metadata"]
    meta.setdefault("annotations", {})["example.com/applied"] = f"token: {token_of(objects)}"


def kubeconfig_secret(objects: Objects) -> tuple[dict[str, str], dict[str, list[object]]]:
    """Return the Secret's data and the kubeconfig in it."""
    data = find(objects, "Secret", "claude-kubeconfig")["data"]
    return data, yaml.safe_load(b64decode(data["kubeconfig"]))


@manifest_sabotage(
    "per-agent-kubeconfig-from-secret", "one kubeconfig for all agents: every cluster is in it"
)
def every_cluster(objects: Objects) -> None:
    """Add another cluster's context."""
    data, config = kubeconfig_secret(objects)
    config["contexts"].append({"name": "another", "context": {"cluster": "another", "user": "another"}})
    config["clusters"].append({"name": "another", "cluster": {"server": "https://192.0.2.7:6443"}})
    config["users"].append({"name": "another", "user": {"token": "stub-token-another"}})
    data["kubeconfig"] = b64encode(yaml.safe_dump(config).encode()).decode()


@manifest_sabotage("per-agent-kubeconfig-from-secret", "everyone in the pod may read the kubeconfig")
def readable_by_all(objects: Objects) -> None:
    """Mount it with the default mode."""
    for each in find(objects, "StatefulSet")["spec"]["template"]["spec"]["volumes"]:
        if each.get("secret", {}).get("secretName") == "claude-kubeconfig":
            del each["secret"]["defaultMode"]


@manifest_sabotage("per-agent-kubeconfig-from-secret", "the kubeconfig is a ConfigMap")
def kubeconfig_in_a_config_map(objects: Objects) -> None:
    """Put it where everyone who reads ConfigMaps reads it."""
    data, _ = kubeconfig_secret(objects)
    meta = {"name": "claude-kubeconfig", "namespace": find(objects, "StatefulSet")["metadata"]["namespace"]}
    text = b64decode(data["kubeconfig"]).decode()
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"kubeconfig": text}})
    for each in find(objects, "StatefulSet")["spec"]["template"]["spec"]["volumes"]:
        if each.pop("secret", None):
            each["configMap"] = {"name": "claude-kubeconfig", "defaultMode": 0o440}


@manifest_sabotage(
    "pod-spec-holds-no-literal-token", "the token stands in the ConfigMap in base64, in a settings file"
)
def token_in_a_settings_file(objects: Objects) -> None:
    """Encode it, which hides it from whoever looks for its letters."""
    text = f'{{"env": {{"LOGIN": "{token_of(objects)}"}}}}'
    find(objects, "ConfigMap", "claude-config")["data"]["settings"] = b64encode(text.encode()).decode()


@manifest_sabotage(
    "pod-spec-holds-no-literal-token", "a note on the Secret holds its content as it was applied"
)
def noted_on_the_secret(objects: Objects) -> None:
    """Do what kubectl apply does with the manifest of a Secret."""
    meta = find(objects, "Secret", "claude-token")["metadata"]
    note = {
        "kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"token":"{token_of(objects)}"}}}}'
    }
    meta.setdefault("annotations", {}).update(note)


@manifest_sabotage("pod-spec-holds-no-literal-token", "the pod's token is another one than its Secret's")
def another_token(objects: Objects) -> None:
    """Give the pod a token that is in no Secret."""
    setting = token_setting(objects)
    setting.pop("valueFrom")
    setting["value"] = "stub-token-of-nobody"


@subject_sabotage(
    "pod-spec-holds-no-literal-token", "an example of values for the chart has a token in base64"
)
def token_in_an_example(directory: Path) -> None:
    """Ship what somebody tried."""
    text = b64encode(FAKE.encode()).decode()
    (directory / "chart/examples/tried.yaml").write_text(f"credentials:\n  data: {text}\n")


image_sabotage(
    "fine_grained_token", "no-secret-in-any-layer", "a token of GitHub is left in a file of variables",
    dockerfile=layers_as_root(f"echo TEXT=github_{'pat'}_{'A' * 22}_{'b' * 59} > /opt/settings"),
)  # fmt: skip
ACCOUNT = f'{{"private_key": "-----BEGIN PRIVATE {"KEY"}-----\\nMII{"A" * 64}"}}'
image_sabotage(
    "account_of_a_cloud", "no-secret-in-any-layer", "the account of a cloud is copied in, a file of JSON",
    dockerfile=layers_as_root(f"printf '%s' '{ACCOUNT}' > /opt/account"),
)  # fmt: skip
image_sabotage(
    "token_of_a_registry", "no-secret-in-any-layer", "a token of Docker Hub is left in a script",
    dockerfile=layers_as_root(f"echo docker login -p dckr_{'pat'}_{'A' * 27} > /opt/push.sh"),
)  # fmt: skip
image_sabotage(
    "token_in_base64", "no-secret-in-any-layer", "a setting of the image is a token in base64",
    dockerfile=f"ENV CLAUDE_LOGIN={b64encode(FAKE.encode()).decode()}",
)  # fmt: skip


image_sabotage(
    "password_in_an_address", "no-secret-in-any-layer", "the package index is written down with its password",
    dockerfile=layers_as_root(
        "echo '--index-url https://build:hunt3r2hunt3r@pypi.example.com/simple' > /etc/pip.conf",
        "rm /etc/pip.conf",
    ),
)  # fmt: skip
CONFIGURATION = b64encode(f'{{"auths": {{"ghcr.io": {{"auth": "{"QUJD" * 6}"}}}}}}'.encode()).decode()
image_sabotage(
    "login_in_base64", "no-secret-in-any-layer", "the configuration of a client is kept in base64",
    dockerfile=layers_as_root(f"echo {CONFIGURATION} > /opt/client"),
)  # fmt: skip
image_sabotage(
    "password_by_its_name", "no-secret-in-any-layer", "the password of a database is a setting of the image",
    dockerfile="ENV DATABASE_PASSWORD=hunt3r2hunt3r",
)  # fmt: skip
image_sabotage(
    "argument_in_the_history", "no-secret-in-any-layer", "a step was given its password as an argument",
    dockerfile="ARG NPM_PASSWORD=hunt3r2hunt3r\nRUN true",
)  # fmt: skip


@subject_sabotage("no-secret-in-build-args", "the password is kept in the image in base64")
def kept_in_base64(directory: Path) -> None:
    """Write a header down, as a client that remembers its login does."""
    replace(
        directory / PRIVATE,
        ("    curl", "    sed 's/.*password //' /run/secrets/netrc | base64 > /root/.remembered && curl"),
    )


@subject_sabotage("secret-encrypted-at-rest", "the documented configuration writes Secrets as they are")
def written_as_they_are(directory: Path) -> None:
    """Have the provider that encrypts nothing come first."""
    page = directory / "docs/authentication.md"
    old = "      - secretbox: # the first one writes"
    replace_in(page, old, f"      - identity: {{}}\n{old}")


@subject_sabotage("per-agent-kubeconfig-from-secret", "the chart gives each agent the kubeconfig of all")
def kubeconfig_of_all(directory: Path) -> None:
    """Read the values from the top, where the agent's own do not stand."""
    path = directory / "chart/templates/kubeconfig.yaml"
    replace_in(path, "{{ .values.kubeconfig.content |", "{{ $.Values.kubeconfig.content |")


image_sabotage(
    "kubeconfig_shown_at_start", "secret-not-in-logs-or-argv",
    "the box shows at its start the kubeconfig that it is given",
    dockerfile=edited(
        "/usr/local/bin/entrypoint", '2i [ -z "${KUBECONFIG:-}" ] || cat "$KUBECONFIG" >\\&2'
    ),
)  # fmt: skip


@manifest_sabotage("secret-not-in-logs-or-argv", "the watch of the login shows what it looks at")
def watch_shows_the_login(objects: Objects) -> None:
    """Help whoever wonders why it fails."""
    job = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    container = job["template"]["spec"]["containers"][0]
    command = " ".join(container["command"])
    container["command"] = ["sh", "-c", f"cat /home/claude/.claude/.credentials.json; exec {command}"]


@manifest_sabotage("per-agent-kubeconfig-from-secret", "what waits for the policy has the kubeconfig as well")
def kubeconfig_of_the_gate(objects: Objects) -> None:
    """Give each container of the pod the same mounts."""
    find(objects, "Secret", "claude-kubeconfig")  # in that tier alone
    pod = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    mine = next(each for each in mounts if each["name"] == "kubeconfig")
    pod["initContainers"][0]["volumeMounts"].append(dict(mine))


@subject_sabotage("secret-not-in-logs-or-argv", "a page has the token among the words of a command")
def token_on_the_command_line(directory: Path) -> None:
    """Give it where whoever lists processes reads it."""
    page, header = directory / "docs/modes.md", '"Authorization: Bearer $TOKEN"'
    replace_in(page, "curl -H @- ", f"curl -H {header} ")
    replace_in(page, f" <<<{header}", "")


@subject_sabotage("secret-not-in-logs-or-argv", "a page reads the token from a file into a command's words")
def token_read_into_the_words(directory: Path) -> None:
    """No variable holds it, and the list of processes does."""
    page = directory / "docs/modes.md"
    replace_in(page, "curl -H @- ", 'curl -H "Authorization: Bearer $(cat token)" ')
    replace_in(page, ' <<<"Authorization: Bearer $TOKEN"', "")


@subject_sabotage("secret-not-in-logs-or-argv", "a page clones from an address with the token in it")
def token_in_an_address(directory: Path) -> None:
    """Do it as many pages do."""
    page = directory / "docs/configuration.md"
    line = "git clone https://x-access-token:$GITHUB_PAT@git.example.org/you/configuration.git"
    page.write_text(f"{page.read_text()}\n```\n{line}\n```\n")


@manifest_sabotage("secret-not-in-logs-or-argv", "where it is served its probe has the token as a word")
def probe_with_the_token(objects: Objects) -> None:
    """Every few seconds whoever lists processes reads it."""
    find(objects, "Service", "claude-api")  # in that tier alone
    ask = 'exec curl -fsS -H "Authorization: Bearer $BOX_API_TOKEN" http://127.0.0.1:8080/readyz'
    for each in find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]:
        each["readinessProbe"]["exec"]["command"] = ["sh", "-c", ask]


@subject_sabotage("no-secret-in-any-layer", "the recipe copies what its user's CLI keeps of a login")
def state_of_the_cli_copied(directory: Path) -> None:
    """Whoever builds has it in the context: the ignore file no longer leaves it out."""
    replace_in(directory / "image/.dockerignore", "**/.claude.json\n", "")
    last = "\nCOPY rootfs/ /\n"
    replace_in(directory / "image/Dockerfile", last, f"\nCOPY .claude.json /home/claude/{last}")


@subject_sabotage("secret-not-in-logs-or-argv", "a script without an ending tells the engine the token")
def token_told_by_a_launcher(directory: Path) -> None:
    """Whoever lists the processes of that machine reads it."""
    runs = 'exec docker run --rm -e "CLAUDE_CODE_OAUTH_TOKEN=$(cat token)" claude-in-a-box:1.0.0\n'
    (directory / "start-box").write_text(f"#!/usr/bin/env bash\n{runs}")
