"""Changes to the chart, the manifests and the Compose file that their users would notice late."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of

READER = "chart/templates/rbac-reader.yaml"
STATEFULSET = "chart/templates/statefulset.yaml"
BASE = "manifests/base"


@subject_sabotage("helm-default-equals-raw-manifests", "the chart's reader lacks pods/log")
def chart_without_logs(directory: Path) -> None:
    replace_in(directory / READER, "      - pods/log\n", "")


@subject_sabotage("helm-default-equals-raw-manifests", "the chart's tier for captures forgets the sysctl")
def chart_without_sysctl(directory: Path) -> None:
    replace_in(directory / STATEFULSET, "if .values.tiers.netraw", "if false")


@subject_sabotage("helm-default-equals-raw-manifests", "an agent of a fleet shares the reader of the first")
def chart_shares_the_reader(directory: Path) -> None:
    replace_in(directory / READER, "claude-reader{{ .suffix }}", "claude-reader")


@subject_sabotage("helm-toggles-honoured", "the roles come whether they are wanted or not")
def roles_always(directory: Path) -> None:
    replace_in(directory / READER, ".values.rbac.create", "true")


@subject_sabotage("helm-toggles-honoured", "the image's tag stands in the template")
def tag_in_the_template(directory: Path) -> None:
    replace_in(directory / STATEFULSET, "{{ .values.image.tag | default .appVersion }}", "{{ .appVersion }}")


@subject_sabotage("helm-toggles-honoured", "the default tag is latest")
def latest_by_default(directory: Path) -> None:
    replace_in(directory / "chart/Chart.yaml", "appVersion: unset", "appVersion: latest")


@subject_sabotage("helm-toggles-honoured", "the pod of before goes on after an upgrade")
def pod_not_replaced(directory: Path) -> None:
    name = "  serviceName: claude-agent\n"
    replace_in(directory / STATEFULSET, name, f"{name}  updateStrategy:\n    type: OnDelete\n")


@subject_sabotage("helm-toggles-honoured", "uninstalling takes the namespace, and the volume with it")
def volume_not_kept(directory: Path) -> None:
    replace_in(directory / "chart/templates/namespace.yaml", "helm.sh/resource-policy: keep", "dropped: ''")


@subject_sabotage("manifests-valid-and-apply-once", "a field is misspelt")
def misspelt_field(directory: Path) -> None:
    replace_in(directory / BASE / "statefulset.yaml", "fsGroupChangePolicy", "fsGroupChangePolcy")


@subject_sabotage("manifests-valid-and-apply-once", "nothing makes the namespace")
def no_namespace(directory: Path) -> None:
    replace_in(directory / BASE / "kustomization.yaml", "  - namespace.yaml\n", "")


@subject_sabotage("manifests-valid-and-apply-once", "a component has a field of the wrong kind")
def wrong_kind_of_field(directory: Path) -> None:
    replace_in(directory / "manifests/components/api/service.yaml", "port: 8080", 'port: "8080"')


@manifest_sabotage("dedicated-namespace", "the settings are in the namespace default")
def settings_in_default(objects: Objects) -> None:
    find(objects, "ConfigMap")["metadata"]["namespace"] = "default"


@manifest_sabotage("configmap-drives-mode-and-mcp", "the mode stands in the pod's own variables")
def mode_in_the_pod(objects: Objects) -> None:
    container = agent_of(objects)
    data = find(objects, "ConfigMap", "claude-config")["data"]
    container["env"] = [*container.get("env", ()), {"name": "CLAUDE_MODE", "value": data["CLAUDE_MODE"]}]


@manifest_sabotage("configmap-drives-mode-and-mcp", "the MCP servers are those of the image")
def no_mount_of_mcp(objects: Objects) -> None:
    container = agent_of(objects)
    kept = [each for each in container["volumeMounts"] if each["name"] != "mcp"]
    container["volumeMounts"] = kept


image_sabotage(
    "tools-list-in-the-image",
    "configmap-drives-mode-and-mcp",
    "verify-tools does not ask which tools",
    dockerfile=edited("/usr/local/bin/verify-tools", "s/^CHOSEN = .*/CHOSEN = []/"),
)


@subject_sabotage("helm-toggles-honoured", "the size of /tmp stands in the template")
def tmp_size_in_the_template(directory: Path) -> None:
    replace_in(directory / STATEFULSET, "{{ .values.tmp.sizeLimit }}", "256Mi")


@subject_sabotage("helm-toggles-honoured", "the number of sessions at a time is not told to the server")
def concurrency_not_told(directory: Path) -> None:
    line = '{{- $_ := set $api "BOX_API_CONCURRENCY" (toString .values.api.concurrency) -}}'
    replace_in(directory / "chart/templates/_helpers.tpl", line, "")


@subject_sabotage("helm-toggles-honoured", "what the agent asks for stands in the template")
def requests_fixed(directory: Path) -> None:
    fixed = "{requests: {cpu: 500m, memory: 320Mi}, limits: {cpu: '3', memory: 4Gi}}"
    replace_in(directory / STATEFULSET, "{{- toYaml .values.resources | nindent 12 }}", fixed)


@subject_sabotage("release-upgrades-in-place", "the version is among the labels that select the pods")
def version_in_the_selector(directory: Path) -> None:
    old = "      app: claude-agent\n  persistentVolumeClaimRetentionPolicy"
    label = "      app.kubernetes.io/version: {{ .appVersion | quote }}\n"
    replace_in(
        directory / STATEFULSET,
        old,
        f"      app: claude-agent\n{label}  persistentVolumeClaimRetentionPolicy",
    )
    pods = "      labels:\n        app: claude-agent\n"
    replace_in(directory / STATEFULSET, pods, f"{pods}  {label}")


@subject_sabotage("release-upgrades-in-place", "the volume's labels say of which release it is")
def version_on_the_volume(directory: Path) -> None:
    old = "        name: home\n        labels:\n"
    label = "          app.kubernetes.io/version: {{ .appVersion | quote }}\n"
    replace_in(directory / STATEFULSET, old, old + label)


@subject_sabotage("helm-config-restarts-its-readers", "nothing of the settings is in the agent's template")
def agent_without_checksum(directory: Path) -> None:
    path = directory / STATEFULSET
    kept = [each for each in path.read_text().splitlines(keepends=True) if "checksum/" not in each]
    path.write_text("".join(kept))


@subject_sabotage("helm-config-restarts-its-readers", "the proxy goes on with the names of before")
def proxy_without_checksum(directory: Path) -> None:
    path = directory / "chart/templates/egress.yaml"
    kept = [each for each in path.read_text().splitlines(keepends=True) if "checksum/" not in each]
    path.write_text("".join(kept))


@subject_sabotage("dedicated-namespace", "a component's object is in the namespace default")
def component_in_default(directory: Path) -> None:
    path = directory / "manifests/components/api/service.yaml"
    replace_in(path, "namespace: claude", "namespace: default")


@subject_sabotage("dedicated-namespace", "a runbook works in the namespace default")
def runbook_in_default(directory: Path) -> None:
    command = "```\nkubectl -n default delete pod claude-agent-0\n```\n\n"
    replace_in(directory / "docs/runbooks.md", "## Looking\n", f"{command}## Looking\n")


@subject_sabotage("manifests-valid-and-apply-once", "the pod of the backup has a field that nobody knows")
def misspelt_in_the_backup(directory: Path) -> None:
    replace_in(directory / "manifests/backup/pod.yaml", "restartPolicy", "restartPolcy")


@subject_sabotage("helm-config-restarts-its-readers", "every upgrade restarts the agent")
def restarted_by_every_upgrade(directory: Path) -> None:
    line = '        checksum/config: {{ include "box.config" . | sha256sum }}\n'
    replace_in(
        directory / STATEFULSET, line, f"{line}        checksum/any: {{{{ randAlphaNum 12 | quote }}}}\n"
    )


@subject_sabotage("helm-default-equals-raw-manifests", "the fleet of Argo CD lacks an agent of the file")
def argo_lacks_an_agent(directory: Path) -> None:
    replace_in(directory / "chart/examples/applicationset.yaml", "          - agent: gamma\n", "")


@subject_sabotage("iso-held-without-a-cluster", "the documented command leaves out what drops capabilities")
def capabilities_documented(directory: Path) -> None:
    replace_in(directory / "subject.toml", '"--cap-drop", "ALL", ', "")


@subject_sabotage("helm-default-equals-raw-manifests", "in a cluster the chart gives another grace period")
def another_when_it_is_live(directory: Path) -> None:
    live = '{{ if lookup "v1" "Namespace" "" "kube-system" }}61{{ else }}60{{ end }}'
    old = "terminationGracePeriodSeconds: "
    replace_in(directory / STATEFULSET, f"{old}60", f"{old}{live}")


@subject_sabotage("dedicated-namespace", "all of the manifests are for the namespace default")
def all_in_default(directory: Path) -> None:
    replace_in(directory / BASE / "kustomization.yaml", "namespace: claude\n", "namespace: default\n")


@subject_sabotage("helm-config-restarts-its-readers", "an MCP server alone restarts nothing")
def managed_without_checksum(directory: Path) -> None:
    line = "        checksum/managed: {{ print .values.mcp .values.managedSettings | sha256sum }}\n"
    replace_in(directory / STATEFULSET, line, "")


@subject_sabotage("helm-config-restarts-its-readers", "any value at all restarts the agent")
def restarted_by_any_value(directory: Path) -> None:
    replace_in(directory / STATEFULSET, 'include "box.config" . | sha256sum', "toJson .values | sha256sum")


@subject_sabotage("helm-config-restarts-its-readers", "a kubeconfig that no pod has restarts the agent")
def restarted_by_an_unused_kubeconfig(directory: Path) -> None:
    both = "if and .values.kubeconfig.enabled .values.kubeconfig.content }}\n        checksum"
    replace_in(directory / STATEFULSET, both, "if .values.kubeconfig.content }}\n        checksum")


@subject_sabotage("iso-held-without-a-cluster", "the page leaves out what the proven command has")
def page_without_the_options(directory: Path) -> None:
    options = "--cap-drop ALL --security-opt no-new-privileges "
    replace_in(directory / "docs/running.md", options, "")


@subject_sabotage("iso-held-without-a-cluster", "another page gives a bare command, for the login alone")
def bare_command_on_another_page(directory: Path) -> None:
    command = "docker run -it -e CLAUDE_MODE=interactive -v claude:/home/claude/.claude IMAGE /login"
    page = directory / "docs/authentication.md"
    page.write_text(f"{page.read_text()}\n```\n{command}\n```\n")


@subject_sabotage("helm-toggles-honoured", "the operator's roles come whether roles are wanted or not")
def operator_without_asking(directory: Path) -> None:
    path = directory / "chart/templates/rbac-operator.yaml"
    replace_in(path, "if and .values.rbac.create .values.rbac.operator", "if .values.rbac.operator")


@subject_sabotage("helm-toggles-honoured", "the tag of one tier's container stands in the template")
def tag_in_the_template_of_a_tier(directory: Path) -> None:
    path = directory / "chart/templates/token-watch.yaml"
    replace_in(path, "{{ .values.image.tag | default .appVersion }}", "{{ .appVersion }}")


@subject_sabotage("helm-toggles-honoured", "what holds the operator back knows one account by its name")
def account_in_the_policy(directory: Path) -> None:
    path = directory / "chart/templates/rbac-operator.yaml"
    told = 'endsWith(":{{ .values.serviceAccount.name }}")'
    replace_in(path, told, 'endsWith(":claude-agent")')


@subject_sabotage("dedicated-namespace", "a component's object is in a namespace of the cluster's own")
def component_in_kube_system(directory: Path) -> None:
    path = directory / "manifests/components/api/networkpolicy.yaml"
    replace_in(path, "namespace: claude", "namespace: kube-system")


@subject_sabotage(
    "dedicated-namespace", "the chart puts what one tier adds into a namespace of its own naming"
)
def template_with_a_namespace(directory: Path) -> None:
    path = directory / "chart/templates/token-watch.yaml"
    replace_in(path, "namespace: {{ .namespace }}", "namespace: monitoring")


@subject_sabotage("helm-toggles-honoured", "the size of a volume is that of all agents, whatever one says")
def value_of_all(directory: Path) -> None:
    of_all = "storage: {{ $.Values.persistence.size }}"
    replace_in(directory / STATEFULSET, "storage: {{ .values.persistence.size }}", of_all)


@subject_sabotage("helm-toggles-honoured", "what one agent of a fleet says holds for those after it as well")
def value_that_spreads(directory: Path) -> None:
    path = directory / "chart/templates/_helpers.tpl"
    replace_in(path, '(omit $.Values "agents" "only" | deepCopy)', '(omit $.Values "agents" "only")')


@subject_sabotage("release-upgrades-in-place", "the name of a volume has the version in it")
def version_in_the_name_of_a_volume(directory: Path) -> None:
    name = 'claude-config-clone-{{ .appVersion | replace "." "-" }}'
    path = directory / "chart/templates/config-clone-volume.yaml"
    replace_in(path, "name: claude-config-clone", f"name: {name}")
    replace_in(directory / STATEFULSET, "claimName: claude-config-clone", f"claimName: {name}")


@subject_sabotage(
    "release-upgrades-in-place", "the settings cannot be changed, and have the version among them"
)
def settings_sealed(directory: Path) -> None:
    old = '  namespace: {{ .namespace }}\ndata:\n  {{- include "box.config"'
    new = "  namespace: {{ .namespace }}\nimmutable: true\ndata:\n  BOX_RELEASE: {{ .appVersion | quote }}\n"
    replace_in(directory / "chart/templates/configmap.yaml", old, f'{new}  {{{{- include "box.config"')


@subject_sabotage("dedicated-namespace", "a page applies a pod that names no namespace, and says none either")
def applied_wherever(directory: Path) -> None:
    path = directory / "docs/debugging.md"
    piped = "manifests/debug/node.yaml | kubectl "
    replace_in(path, f"{piped}-n kube-system apply -f -", f"{piped}apply -f -")


@subject_sabotage("dedicated-namespace", "a page has Helm keep its records wherever the user is")
def installed_wherever(directory: Path) -> None:
    path = directory / "docs/installing.md"
    old = "helm install claude chart --namespace claude --create-namespace"
    replace_in(path, old, "helm install claude chart")


@subject_sabotage("dedicated-namespace", "an application of Argo CD puts the box into the namespace default")
def application_into_default(directory: Path) -> None:
    source = "{repoURL: https://example.invalid/box.git, path: manifests/base, targetRevision: v1}"
    spec = f"spec:\n  project: box\n  source: {source}\n"
    to = "  destination: {server: https://kubernetes.default.svc, namespace: default}\n"
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: box, namespace: argocd}\n"
    (directory / "docs" / "application.yaml").write_text(head + spec + to)


@subject_sabotage("dedicated-namespace", "a page has users choose the namespace default")
def default_chosen_by_a_page(directory: Path) -> None:
    path = directory / "docs" / "installing.md"
    path.write_text(f"{path.read_text()}\n```\nkubens default\nkubectl get pods\n```\n")


MORE = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: claude-more
rules:
  - apiGroups: ["*"]
    resources: ["*"]
    verbs: ["*"]
{{- end }}
"""


@subject_sabotage("helm-default-equals-raw-manifests", "the chart has one role more where a kind is served")
def role_where_a_kind_is_served(directory: Path) -> None:
    asked = '{{- if .Capabilities.APIVersions.Has "cilium.io/v2" }}\n'
    (directory / "chart/templates/more.yaml").write_text(asked + MORE)


@subject_sabotage("helm-default-equals-raw-manifests", "the chart has one role more where an object is there")
def role_where_an_object_is_there(directory: Path) -> None:
    asked = '{{- if lookup "v1" "Namespace" "" "kube-system" }}\n'
    (directory / "chart/templates/more.yaml").write_text(asked + MORE)
