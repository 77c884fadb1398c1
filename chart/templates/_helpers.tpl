{{/* The agents, those of a fleet or the only one: values, namespace, and what its names outside namespaces end in. */}}
{{- define "box.agents" -}}
{{- $agents := .Values.agents | default (dict "" dict) -}}
{{- if and .Values.only (not (hasKey $agents .Values.only)) -}}
{{- fail (printf "only: there is no agent %q; there are: %s" .Values.only (keys $agents | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $apiserver := include "box.apiserver" . | fromYamlArray -}}
{{- range $name, $own := $agents }}
{{- if or (not $.Values.only) (eq $.Values.only $name) }}
{{- $values := mergeOverwrite (omit $.Values "agents" "only" | deepCopy) ($own | default dict) }}
{{- $suffix := ternary (print "-" $name) "" (ne $name "") }}
- values: {{ toJson $values }}
  namespace: {{ print $values.namespace.name $suffix | quote }}
  suffix: {{ $suffix | quote }}
  apiserver: {{ $values.network.apiserver | default $apiserver | toJson }}
  appVersion: {{ $.Chart.AppVersion | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the API server is: as the cluster says; without a cluster two addresses that are reserved for documentation. */}}
{{- define "box.apiserver" -}}
{{- $service := lookup "v1" "Service" "default" "kubernetes" -}}
{{- $slice := lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "kubernetes" -}}
{{- if and $service $slice -}}
- {address: {{ $service.spec.clusterIP }}, port: 443}
{{- range $slice.endpoints }}
{{- range .addresses }}
- {address: {{ . }}, port: {{ (first $slice.ports).port }}}
{{- end }}
{{- end }}
{{- else -}}
- {address: 192.0.2.1, port: 443}
- {address: 192.0.2.2, port: 6443}
{{- end -}}
{{- end -}}

{{/* What is no place outside, of a list: with the nodes' addresses, as the cluster says them, where 192.0.2.3/32 stands. */}}
{{- define "box.except" -}}
{{- $nodes := list -}}
{{- if has "192.0.2.3/32" . -}}
{{- range (lookup "v1" "Node" "" "").items -}}
{{- range .status.addresses -}}
{{- if and (has .type (list "InternalIP" "ExternalIP")) (not (contains ":" .address)) -}}
{{- $nodes = append $nodes (print .address "/32") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $nodes -}}
{{- concat (without . "192.0.2.3/32") ($nodes | uniq | sortAlpha) | toJson -}}
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{/* The capabilities of an agent's tiers, comma-separated; "" in the default tier. */}}
{{- define "box.capabilities" -}}
{{- $all := list -}}
{{- if .values.tiers.netadmin }}{{ $all = append $all "NET_ADMIN" }}{{ end -}}
{{- if .values.tiers.netraw }}{{ $all = append $all "NET_RAW" }}{{ end -}}
{{- if .values.tiers.ptrace }}{{ $all = append $all "SYS_PTRACE" }}{{ end -}}
{{- join ", " $all -}}
{{- end -}}

{{/* The level of Pod Security that the namespace enforces. */}}
{{- define "box.podSecurity" -}}
{{- if include "box.capabilities" . }}privileged{{ else if .values.tiers.debug }}baseline{{ else }}restricted{{ end -}}
{{- end -}}

{{/* The data of the ConfigMap: `config`, in mode api what serves it, and no proxy where there is another way out. */}}
{{- define "box.config" -}}
{{- $config := .values.config -}}
{{- if or (not .values.network.create) .values.network.openEgress .values.network.cilium -}}
{{- $config = omit $config "HTTPS_PROXY" "https_proxy" -}}
{{- end -}}
{{- if .values.api.enabled -}}
{{- $api := dict "CLAUDE_MODE" "api" "BOX_API_HOST" "0.0.0.0" "BOX_API_PORT" "8080" -}}
{{- $_ := set $api "BOX_API_TOKEN_FILE" "/run/secrets/claude-api/token" -}}
{{- $_ := set $api "BOX_API_CONCURRENCY" (toString .values.api.concurrency) -}}
{{- $_ := set $api "BOX_API_TIMEOUT" (toString .values.api.timeout) -}}
{{- $config = mergeOverwrite (deepCopy $config) $api -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The container's variables that are no settings: the token, the kubeconfig, and extraEnv; "" if there are none. */}}
{{- define "box.env" -}}
{{- $env := list -}}
{{- if or .values.credentials.secretName .values.api.enabled -}}
{{- $key := dict "name" (.values.credentials.secretName | default "claude-token") "key" "token" -}}
{{- if not .values.credentials.secretName }}{{ $_ := set $key "optional" true }}{{ end -}}
{{- $env = append $env (dict "name" "CLAUDE_CODE_OAUTH_TOKEN" "valueFrom" (dict "secretKeyRef" $key)) -}}
{{- end -}}
{{- if .values.kubeconfig.enabled -}}
{{- $env = append $env (dict "name" "KUBECONFIG" "value" "/etc/box/kubeconfig/kubeconfig") -}}
{{- end -}}
{{- if .values.tiers.ptrace -}}
{{- $env = append $env (dict "name" "TINI_SUBREAPER" "value" "1") -}}
{{- end -}}
{{- $env = concat $env .values.extraEnv -}}
{{- if $env }}{{ toYaml $env }}{{ end -}}
{{- end -}}

{{/* The init container that clones the agent's configuration. */}}
{{- define "box.configClone" -}}
- name: config-clone
  image: {{ .values.image.repository }}:{{ .values.image.tag | default .appVersion }}
  imagePullPolicy: {{ .values.image.pullPolicy }}
  command: [/usr/bin/tini, --, python3, -I, /usr/local/lib/box/config_clone.py]
  terminationMessagePolicy: FallbackToLogsOnError
  envFrom:
    - configMapRef:
        name: claude-config
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  resources:
    requests:
      cpu: 50m
      memory: 64Mi
      ephemeral-storage: 16Mi
    limits:
      cpu: "1"
      memory: 512Mi
      ephemeral-storage: 64Mi
  volumeMounts:
    - name: home
      mountPath: /home/claude/.claude
    - name: config-clone
      mountPath: /var/lib/config-clone
    - name: config-repository
      mountPath: /run/secrets/config-clone
      readOnly: true
    - name: nothing # in the place of the account's token
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
{{- end -}}
