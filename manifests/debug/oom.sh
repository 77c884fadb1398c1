# What the kernel says about processes of a pod that it killed for want of memory: oom.sh NAMESPACE/POD
# For the node of the pod, or the pod of node.yaml there. Two lines a kill: the one with the memory cgroup, whose last part
# is the container's id, and the one with the process, which names no cgroup.
set -eu
[ $# -eq 1 ] || { echo 'usage: oom.sh NAMESPACE/POD' >&2; exit 2; }
sandbox=$(crictl pods --quiet --label "io.kubernetes.pod.namespace=${1%%/*}" --label "io.kubernetes.pod.name=${1#*/}")
[ -n "$sandbox" ] || { echo "no pod $1 on this node" >&2; exit 1; }
for each in $sandbox; do
    uid=$(crictl inspectp --output go-template --template '{{.status.metadata.uid}}' "$each")
    # cgroups of the systemd driver have _ in the place of -
    dmesg | awk -v plain="$uid" -v systemd="$(echo "$uid" | tr - _)" '
        /oom-kill:constraint=CONSTRAINT_MEMCG/ { wanted = index($0, plain) || index($0, systemd) }
        wanted && /oom-kill:constraint=CONSTRAINT_MEMCG|Killed process/ { print }
        /Killed process/ { wanted = 0 }'
done
