"""Changes of which image is named: by its tag, by none, by another than the one that was built."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import pod_of


@manifest_sabotage("no-latest-in-manifests", "an init container takes alpine/git:latest")
def latest_in_init_container(objects: Objects) -> None:
    clone = {"name": "clone", "image": "alpine/git:latest", "command": ["git", "version"]}
    pod_of(objects).setdefault("initContainers", []).append(clone)


@manifest_sabotage("no-latest-in-manifests", "the box's image has no tag")
def no_tag(objects: Objects) -> None:
    container = pod_of(objects)["containers"][0]
    container["image"] = container["image"].rpartition(":")[0]


@manifest_sabotage("pull-policy-local", "imagePullPolicy: Always")
def always(objects: Objects) -> None:
    pod_of(objects)["containers"][0]["imagePullPolicy"] = "Always"


@manifest_sabotage("manifest-image-equals-built-tag", "the tag stands in the manifest as a literal")
def literal_tag(objects: Objects) -> None:
    container = pod_of(objects)["containers"][0]
    container["image"] = container["image"].rpartition(":")[0] + ":v1.0.0"


@subject_sabotage("tag-is-content-addressed", "the tag is always dev")
def tag_dev(directory: Path) -> None:
    replace_in(directory / "subject.toml", "[commands]\n", '[commands]\ntag = ["echo", "dev"]\n')


@subject_sabotage("tag-is-content-addressed", "the tag follows the Dockerfile alone")
def tag_of_dockerfile(directory: Path) -> None:
    replace_in(
        directory / "subject.toml", "[commands]\n", '[commands]\ntag = ["sha256sum", "image/Dockerfile"]\n'
    )


@subject_sabotage("no-latest-in-manifests", "the Compose file falls back to latest")
def latest_in_compose(directory: Path) -> None:
    path = directory / "compose.yaml"
    lines = [
        "    image: ${CLAUDE_IMAGE:-claude-in-a-box:latest}" if "image: ${CLAUDE_IMAGE" in each else each
        for each in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")


@subject_sabotage("no-latest-in-manifests", "the pod of the backup has an image without a tag")
def backup_without_a_tag(directory: Path) -> None:
    replace_in(
        directory / "manifests/backup/pod.yaml", "image: claude-in-a-box:unset", "image: claude-in-a-box"
    )


@subject_sabotage("no-latest-in-manifests", "a runbook runs a container of what is latest")
def latest_in_a_runbook(directory: Path) -> None:
    command = "```\nkubectl run look --rm -it --image=nicolaka/netshoot\n```\n\n"
    replace_in(directory / "docs/runbooks.md", "## Looking\n", f"{command}## Looking\n")


@subject_sabotage("no-latest-in-manifests", "a component brings a container of what is latest")
def latest_in_a_component(directory: Path) -> None:
    path = directory / "manifests/components/token-watch/token-watch.yaml"
    replace_in(path, "image: claude-in-a-box:unset", "image: bitnami/kubectl:latest")


@subject_sabotage(
    "tag-is-content-addressed", "the tag follows the recipe and the list of tools, and no script"
)
def tag_without_scripts(directory: Path) -> None:
    command = 'tag = ["sh", "-c", "cat image/Dockerfile image/tools.toml image/packages.lock | sha256sum"]\n'
    replace_in(directory / "subject.toml", "[commands]\n", f"[commands]\n{command}")


@subject_sabotage("pull-policy-local", "a component's container asks the registry at each start")
def component_pulls(directory: Path) -> None:
    path = directory / "manifests/components/token-watch/token-watch.yaml"
    replace_in(path, "imagePullPolicy: IfNotPresent", "imagePullPolicy: Always")


@manifest_sabotage("pull-policy-local", "an init container asks the registry at each start")
def init_container_pulls(objects: Objects) -> None:
    pod_of(objects)["initContainers"][0]["imagePullPolicy"] = "Always"


@manifest_sabotage("manifest-image-equals-built-tag", "the proxy runs an image of another tag")
def proxy_of_another_tag(objects: Objects) -> None:
    proxy = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    proxy["image"] = proxy["image"].rpartition(":")[0] + ":v1.0.0"


@subject_sabotage(
    "no-latest-in-manifests", "the chart can add a container, whose image its values name by latest"
)
def latest_in_the_values(directory: Path) -> None:
    path = directory / "chart/values.yaml"
    path.write_text(f"{path.read_text()}\nsidecar:\n  enabled: false\n  image: busybox:latest\n")


@subject_sabotage("no-latest-in-manifests", "a container that the values turn on is of what is latest")
def latest_in_a_template(directory: Path) -> None:
    container = "{{- if .Values.waits }}\n- name: wait\n  image: busybox:latest\n{{- end }}\n"
    path = directory / "chart/templates/_wait.tpl"
    path.write_text(f'{{{{- define "box.wait" -}}}}\n{container}{{{{- end }}}}\n')


@subject_sabotage("no-latest-in-manifests", "where the values say no tag a template falls back to latest")
def latest_where_no_tag_is_said(directory: Path) -> None:
    path = directory / "chart/templates/token-watch.yaml"
    replace_in(path, ".values.image.tag | default .appVersion", '.values.image.tag | default "latest"')


@subject_sabotage("no-latest-in-manifests", "an overlay gives the box the tag latest")
def latest_in_an_overlay(directory: Path) -> None:
    path = directory / "manifests/overlays/dev/kustomization.yaml"
    path.parent.mkdir(parents=True)
    images = "images:\n  - name: claude-in-a-box\n    newTag: latest\n"
    path.write_text(f"resources:\n  - ../../base\n{images}")


@subject_sabotage("pull-policy-local", "the Compose file asks the registry at each start")
def compose_pulls(directory: Path) -> None:
    path = directory / "compose.yaml"
    replace_in(path, "    cap_drop: [ALL]\n", "    pull_policy: always\n    cap_drop: [ALL]\n")


@subject_sabotage("pull-policy-local", "the chart asks the registry at each start, unless told otherwise")
def chart_pulls(directory: Path) -> None:
    replace_in(directory / "chart/values.yaml", "pullPolicy: IfNotPresent", "pullPolicy: Always")


@subject_sabotage("pull-policy-local", "a runbook starts the box, and asks the registry for it")
def runbook_pulls(directory: Path) -> None:
    command = "kubectl run look --image=claude-in-a-box:1.0 --image-pull-policy=Always"
    replace_in(directory / "docs/runbooks.md", "## Looking\n", f"```\n{command}\n```\n\n## Looking\n")


@subject_sabotage("no-latest-in-manifests", "a sandbox, of a kind of others' making, is of what is latest")
def latest_in_a_custom_kind(directory: Path) -> None:
    kind = "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata:\n  name: claude-sandbox\n"
    container = "        - name: claude\n          image: claude-in-a-box:latest\n"
    pod = f"spec:\n  podTemplate:\n    spec:\n      containers:\n{container}"
    (directory / "manifests/debug/sandbox.yaml").write_text(kind + pod)


@subject_sabotage("tag-is-content-addressed", "the tag follows one context of the build, and not the other")
def tag_of_one_context(directory: Path) -> None:
    (directory / "shared").mkdir()
    (directory / "shared/notes").write_text("shared with other images\n")
    path = directory / "subject.toml"
    replace_in(path, 'context = "image"\n', 'context = "image"\ncontexts = {shared = "shared"}\n')
    packed = "tar -c --sort=name --mtime=@0 --owner=0 --group=0 image | sha256sum"
    replace_in(path, "[commands]\n", f'[commands]\ntag = ["sh", "-c", "{packed}"]\n')


@subject_sabotage("no-latest-in-manifests", "a page installs the chart with the tag latest")
def latest_by_an_option(directory: Path) -> None:
    tag = '--set-json=\'image={"tag": "latest"}\''
    replace_in(directory / "docs/installing.md", "--set image.tag=TAG", tag)


@subject_sabotage("pull-policy-local", "a page upgrades the chart so that a registry is asked each time")
def always_by_an_option(directory: Path) -> None:
    policy = '--set-json=\'image={"pullPolicy": "Always"}\''
    replace_in(directory / "docs/installing.md", "--set rbac.operator=true", policy)
