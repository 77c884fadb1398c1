"""Changes that let an old image run, or send the new one to the wrong place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from boxproof.cluster.images import load
from boxproof.cluster.images.image_archive import canonical
from boxproof.core.session import Session
from boxproof.deployment.sabotage_ways import as_root, cluster_sabotage, image_sabotage
from boxproof.host.engine.docker_cli import docker
from boxproof.kube.client import Kube
from boxproof.kube.owed import Debt, noted
from boxproof.probes.pods import helper_pods
from boxproof.subject.image import image_build
from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage

image_sabotage(
    "rebuilt-without-load",
    "node-image-id-matches-build",
    "rebuilt, and never loaded: the nodes have the old content under the tag",
    dockerfile="LABEL boxproof.sabotage=rebuilt-without-load",
    load="stale",
)


image_sabotage(
    "constant-nonce", "node-image-id-matches-build", "what the build bakes in is the same each time",
    dockerfile=as_root("echo constant > /etc/boxproof-build"),
)  # fmt: skip


@cluster_sabotage("node-image-id-matches-build", "one node has other content under the tag")
def stale_on_one_node(session: Session, kube: Kube) -> Iterator[None]:
    engine, cluster, image = session.engine, session.cluster, session.image
    if engine is None or cluster is None or image is None:
        raise SabotageError("this run has no engine, no cluster or no image")
    node, kept = helper_pods.worker(kube), f"{image.reference}-kept"
    old = image_build.variant(engine, image, "LABEL boxproof.sabotage=old", helper_pods.unique("k")).reference
    load.load(engine, cluster, [old])
    load.tag_on_node(engine, node, image.reference, kept)
    back = (*load.CTR, "images", "tag", "--force", canonical(kept), canonical(image.reference))
    what = f"the image under {image.reference} on {node}"
    with noted(Debt(what=what, cluster=cluster.name, node=node, argv=back, image=old)):
        load.tag_on_node(engine, node, old, image.reference)
        try:
            yield
        finally:
            load.tag_on_node(engine, node, kept, image.reference)
            load.remove(engine, cluster, [kept, old])
            docker(engine, "image", "rm", old, check=False)


@subject_sabotage("kind-load-targets-named-cluster", "the documented load names no cluster")
def load_without_name(directory: Path) -> None:
    named = '["kind", "load", "docker-image", "{image}", "--name", "{cluster}"]'
    replace_in(
        directory / "subject.toml", f"load = {named}", 'load = ["kind", "load", "docker-image", "{image}"]'
    )


@subject_sabotage("stale-image-recovery-works", "the documented recovery leaves the broken pod where it is")
def recovery_without_deletion(directory: Path) -> None:
    path = directory / "subject.toml"
    lines = path.read_text().splitlines(keepends=True)
    kept = [each for each in lines if '"delete", "pod"' not in each]
    if kept == lines:
        raise SabotageError("subject.toml documents no deletion of the pod")
    path.write_text("".join(kept))


@subject_sabotage("stale-image-recovery-works", "the documented recovery loads nothing")
def recovery_without_load(directory: Path) -> None:
    path = directory / "subject.toml"
    replace_in(
        path,
        'recovery = [\n    ["kind", "load", "docker-image", "{image}", "--name", "{cluster}"],\n',
        "recovery = [\n",
    )


DEPLOY = 'deploy = ["inv", "deploy", "--suffix={suffix}", "--timeout={timeout}"]'
EXPLAINED, EXPLAINED_AS_DONE = "_ended(str(error), error.exit_code)", "_ended(str(error), ExitCode.ACCEPTED)"
WAITS = "found.wait_rolled_out(seconds)"


def _shelled(directory: Path, step: str, words: str) -> None:
    """Have a step of subject.toml succeed whatever its command says."""
    path = directory / "subject.toml"
    lines = path.read_text().splitlines()
    mine = next((each for each in lines if each.startswith(f"{step} = ")), None)
    if mine is None:
        raise SabotageError(f"subject.toml names no {step}")
    lines[lines.index(mine)] = f'{step} = ["sh", "-c", "{words} || true"]'
    path.write_text("\n".join(lines) + "\n")


@subject_sabotage("cluster-name-and-context-consistent", "a configuration of KIND names another cluster")
def configuration_with_a_name(directory: Path) -> None:
    text = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: claude-in-a-box-test\n"
    (directory / "kind-config.yaml").write_text(text)


@subject_sabotage("cluster-name-and-context-consistent", "the documented load names a cluster of its own")
def load_into_claude_dev(directory: Path) -> None:
    load_line = 'load = ["kind", "load", "docker-image", "{image}", "--name", '
    replace_in(directory / "subject.toml", f'{load_line}"{{cluster}}"]', f'{load_line}"dev"]')


@subject_sabotage("cluster-name-and-context-consistent", "deploy takes whatever context is the current one")
def context_not_looked_at(directory: Path) -> None:
    replace_in(directory / "boxproof/cluster/contexts.py", "if found and found != of(name):", "if False:")


@subject_sabotage("make-deploy-end-to-end", "deploy leaves out the load")
def deploy_without_load(directory: Path) -> None:
    replace_in(
        directory / "boxproof/runs/manual.py", "load.load(engine, cluster, [probe, image.reference])", "pass"
    )


@subject_sabotage("make-deploy-end-to-end", "deploy builds and loads, and applies nothing")
def deploy_without_apply(directory: Path) -> None:
    replace_in(directory / "subject.toml", DEPLOY, 'deploy = ["inv", "load"]')


@subject_sabotage("make-deploy-end-to-end", "deploy does not wait for the new pod")
def deploy_without_wait(directory: Path) -> None:
    replace_in(directory / "boxproof/tasks/task_steps.py", WAITS, "pass")


@subject_sabotage("deploy-fails-when-not-ready", "deploy ends in || true")
def deploy_or_true(directory: Path) -> None:
    _shelled(directory, "deploy", "inv deploy --suffix={suffix} --timeout={timeout}")


@subject_sabotage("deploy-fails-when-not-ready", "deploy does not wait until the agent is Ready")
def deploy_not_waited_for(directory: Path) -> None:
    replace_in(directory / "boxproof/tasks/task_steps.py", WAITS, "pass")


@subject_sabotage("deploy-fails-when-not-ready", "a failure is shown and ends with 0")
def deploy_fails_with_zero(directory: Path) -> None:
    replace_in(directory / "boxproof/tasks/task_errors.py", EXPLAINED, EXPLAINED_AS_DONE)


@subject_sabotage("cluster-up-idempotent-not-masked", "up ends in || true")
def up_or_true(directory: Path) -> None:
    _shelled(directory, "up", "kind create cluster --name {cluster}")


@subject_sabotage("cluster-up-idempotent-not-masked", "up creates, whether the cluster is there or not")
def up_is_bare(directory: Path) -> None:
    replace_in(
        directory / "subject.toml",
        'up = ["inv", "up"]',
        'up = ["kind", "create", "cluster", "--name", "{cluster}"]',
    )


@subject_sabotage("cluster-up-idempotent-not-masked", "a failure is shown and ends with 0")
def up_fails_with_zero(directory: Path) -> None:
    replace_in(directory / "boxproof/tasks/task_errors.py", EXPLAINED, EXPLAINED_AS_DONE)


LOAD = '"{image}", "--name", "{cluster}"]'


@subject_sabotage(
    "load-covers-schedulable-nodes", "the load goes to one worker, the agent may land on others"
)
def load_into_one_worker(directory: Path) -> None:
    named = LOAD.replace("]", ', "--nodes", "{cluster}-worker"]')
    replace_in(directory / "subject.toml", LOAD, named)


@subject_sabotage("load-covers-schedulable-nodes", "the load goes to the control plane alone")
def load_into_the_control_plane(directory: Path) -> None:
    named = LOAD.replace("]", ', "--nodes", "{cluster}-control-plane"]')
    replace_in(directory / "subject.toml", LOAD, named)


@subject_sabotage("kind-containerd-compatible", "the preflight lets every version through")
def preflight_true(directory: Path) -> None:
    replace_in(directory / "subject.toml", 'preflight = ["inv", "preflight"]', 'preflight = ["true"]')


@subject_sabotage("kind-containerd-compatible", "kind 0.26 is on the list of what was shown")
def shown_without_showing(directory: Path) -> None:
    first = "[[shown]]\n"
    never = f'{first}kind = "0.26.0"\ncontainerd = "2.1.9"\n\n'
    text = (directory / "cluster/cells.toml").read_text()
    if first not in text:
        raise SabotageError("cells.toml lists no pair")
    (directory / "cluster/cells.toml").write_text(text.replace(first, f"{never}{first}", 1))


@subject_sabotage("kind-containerd-compatible", "the documents do not list the versions")
def pairs_not_documented(directory: Path) -> None:
    for page in (directory / "README.md", *(directory / "docs").rglob("*.md")):
        kept = [each for each in page.read_text().splitlines() if not each.startswith("| 0.")]
        page.write_text("\n".join(kept) + "\n")


@subject_sabotage("stale-image-recovery-works", "the mending loads and leaves the pod as it is")
def mend_without_pods(directory: Path) -> None:
    replace_in(
        directory / "boxproof/operations/stale_images.py", "        if each.workload:", "        if False:"
    )


@subject_sabotage("rotated-token-picked-up", "the rotation changes the Secret and leaves the pod as it is")
def rotate_without_restart(directory: Path) -> None:
    replace_in(
        directory / "boxproof/operations/token_rotation.py",
        "    mark = {",
        "    return place.pod\n    mark = {",
    )


@subject_sabotage("netpol-pod-stays-healthy-and-rollback", "a deploy leaves what is there as it is")
def deploy_what_is_missing(directory: Path) -> None:
    absent = 'kube.find(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) is None'
    replace_in(
        directory / "boxproof/deployment/deploy.py",
        "kube.apply(objects)",
        f"kube.apply([each for each in objects if {absent}])",
    )


@subject_sabotage("teardown-leaves-nothing", "the images stay")
def down_keeps_images(directory: Path) -> None:
    replace_in(directory / "subject.toml", 'down = ["inv", "down", "--images"]', 'down = ["inv", "down"]')


@subject_sabotage("teardown-leaves-nothing", "the nodes stay")
def down_keeps_nodes(directory: Path) -> None:
    replace_in(
        directory / "boxproof/runs/manual.py", "kind_clusters.down(settings, engine) or there", "there"
    )


@subject_sabotage("cluster-name-and-context-consistent", "a script makes a cluster of another name")
def script_with_a_name(directory: Path) -> None:
    (directory / "up.sh").write_text("kind create cluster --name claude-dev\n")


@subject_sabotage("load-covers-schedulable-nodes", "the documented load takes its time")
def load_takes_its_time(directory: Path) -> None:
    path = directory / "subject.toml"
    old = 'load = ["kind", "load", "docker-image", "{image}", "--name", "{cluster}"]'
    slow = "sleep 900; kind load docker-image {image} --name {cluster}"
    replace_in(path, old, f'load = ["sh", "-c", "{slow}"]')


@subject_sabotage(
    "cluster-name-and-context-consistent", "a Makefile and a script name two, by a variable and a context"
)
def names_by_variable_and_context(directory: Path) -> None:
    (directory / "Makefile").write_text(
        "CLUSTER ?= claude-dev\nup:\n\t@kind create cluster --name $(CLUSTER)\n"
    )
    (directory / "use.sh").write_text("kubectl config use-context kind-claude\n")


@subject_sabotage(
    "cluster-name-and-context-consistent", "the pipeline makes a cluster of another name than a script"
)
def pipeline_with_a_name(directory: Path) -> None:
    (directory / "up.sh").write_text('name="${1:-claude-dev}"\nkind create cluster --name "$name"\n')
    path = directory / ".ci" / "run"
    path.write_text(f"{path.read_text()}kind create cluster --name claude-ci\n")


@subject_sabotage(
    "kind-load-targets-named-cluster", "a runbook loads the image without saying into which cluster"
)
def runbook_without_a_name(directory: Path) -> None:
    replace_in(
        directory / "docs/runbooks.md",
        "kind load docker-image IMAGE --name CLUSTER",
        "kind load docker-image IMAGE",
    )


@subject_sabotage(
    "kind-load-targets-named-cluster", "a script loads the image without saying into which cluster"
)
def script_without_a_name(directory: Path) -> None:
    (directory / "load.sh").write_text("set -e\ndocker build -t box:1 image\nkind load docker-image box:1\n")


@subject_sabotage("kind-containerd-compatible", "the preflight asks for the kind alone")
def preflight_by_the_kind_alone(directory: Path) -> None:
    both = "(each.kind, each.containerd) == (asked.kind, asked.containerd)"
    replace_in(directory / "boxproof/cluster/cells.py", both, "each.kind == asked.kind")


@subject_sabotage("kind-containerd-compatible", "the documents list a pair that was never shown")
def pair_listed_without_showing(directory: Path) -> None:
    first = "| 0.33.0 | 2.1.9 |\n"
    replace_in(directory / "docs/matrix.md", first, f"{first}| 0.30.0 | 2.1.9 |\n")


@subject_sabotage(
    "kind-load-targets-named-cluster", "a Makefile loads the image by a variable, and into none by name"
)
def load_by_a_variable(directory: Path) -> None:
    (directory / "Makefile").write_text("KIND ?= kind\nload:\n\t$(KIND) load docker-image $(IMG)\n")


@subject_sabotage("kind-load-targets-named-cluster", "make takes no notice of a load that fails, and goes on")
def load_that_may_fail(directory: Path) -> None:
    load = "\t-kind load docker-image box:1 --name $(CLUSTER)\n"
    (directory / "Makefile").write_text(f"up:\n{load}\tkubectl apply -k manifests/base\n")


@subject_sabotage("kind-load-targets-named-cluster", "a script goes on after a load that fails")
def script_goes_on(directory: Path) -> None:
    load = 'kind load docker-image box:1 --name "$1"\n'
    (directory / "up.sh").write_text(f"#!/bin/sh\n{load}kubectl apply -k manifests/base\n")


@subject_sabotage(
    "cluster-name-and-context-consistent", "a script makes one cluster, and Helm has another's context"
)
def context_of_helm(directory: Path) -> None:
    helm = "helm upgrade --install --kube-context kind-claude-dev claude chart\n"
    (directory / "up.sh").write_text(f"set -e\nkind create cluster -n claude\n{helm}")


@subject_sabotage("no-latest-in-manifests", "a volume of a tier is an image without a tag")
def volume_of_an_image(directory: Path) -> None:
    old = (
        "      - op: add\n        path: /spec/template/spec/containers/0/securityContext/capabilities/add/-\n"
    )
    volume = "        value: {name: skills, image: {reference: example.org/skills}}\n"
    operation = f"      - op: add\n        path: /spec/template/spec/volumes/-\n{volume}"
    replace_in(directory / "manifests/components/ptrace/kustomization.yaml", old, operation + old)


@subject_sabotage("stale-image-recovery-works", "the runbook loads nothing, whatever is tried")
def runbook_without_load(directory: Path) -> None:
    replace_in(directory / "docs/runbooks.md", "kind load docker-image IMAGE --name CLUSTER\n", "")
