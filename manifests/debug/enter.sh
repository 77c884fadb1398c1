# Runs a command in all namespaces of one container: enter.sh NAMESPACE/POD CONTAINER COMMAND…
# For the node of the pod, or the pod of node.yaml there. The container is found by its names: the process id of the
# pod's sandbox would lead to the right network, and to the files and processes of pause.
set -eu
[ $# -ge 3 ] || { echo 'usage: enter.sh NAMESPACE/POD CONTAINER COMMAND…' >&2; exit 2; }
id=$(crictl ps --quiet --state Running --label "io.kubernetes.pod.namespace=${1%%/*}" \
    --label "io.kubernetes.pod.name=${1#*/}" --label "io.kubernetes.container.name=$2")
[ -n "$id" ] || { echo "no running container $2 of $1 on this node" >&2; exit 1; }
pid=$(crictl inspect --output go-template --template '{{.info.pid}}' "$id")
shift 2
exec nsenter --target "$pid" --all -- "$@"
