# Stops one container, then removes it: remove.sh NAMESPACE/POD CONTAINER [SECONDS]
# For the node of the pod, or the pod of node.yaml there, when `kubectl delete pod` cannot be used. TERM comes first, KILL
# after SECONDS (60); `crictl rm` with its force flag would kill at once.
set -eu
[ $# -ge 2 ] || { echo 'usage: remove.sh NAMESPACE/POD CONTAINER [SECONDS]' >&2; exit 2; }
id=$(crictl ps --quiet --state Running --label "io.kubernetes.pod.namespace=${1%%/*}" \
    --label "io.kubernetes.pod.name=${1#*/}" --label "io.kubernetes.container.name=$2")
[ -n "$id" ] || { echo "no running container $2 of $1 on this node" >&2; exit 1; }
crictl stop --timeout "${3:-60}" "$id"
crictl rm "$id"
