# Counts the system calls of one container's first process: trace.sh NAMESPACE/POD CONTAINER SECONDS
# For the pod of node.yaml on the node of the pod. perf reads the kernel's trace points; strace, with -c too, stops the process
# twice at each call.
set -eu
[ $# -eq 3 ] || { echo 'usage: trace.sh NAMESPACE/POD CONTAINER SECONDS' >&2; exit 2; }
id=$(crictl ps --quiet --state Running --label "io.kubernetes.pod.namespace=${1%%/*}" \
    --label "io.kubernetes.pod.name=${1#*/}" --label "io.kubernetes.container.name=$2")
[ -n "$id" ] || { echo "no running container $2 of $1 on this node" >&2; exit 1; }
pid=$(crictl inspect --output go-template --template '{{.info.pid}}' "$id")
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
timeout --signal=INT "$3" perf trace --summary --pid "$pid" 2>&1 || [ $? -eq 124 ]
