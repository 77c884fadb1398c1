"""Sabotages of the scripts and runbooks for debugging on a node."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import replace_in, subject_sabotage

DEBUG = "manifests/debug"
INSPECT = "$(crictl inspect --output go-template --template '{{.info.pid}}' \"$id\")"


@subject_sabotage("dbg-nsenter-right-target", "it enters the pod's sandbox: pause")
def enters_pause(directory: Path) -> None:
    sandbox = '"$(crictl ps --quiet --id "$id" --output json | jq -r ".containers[0].podSandboxId")"'
    pause = f"$(crictl inspectp --output go-template --template '{{{{.info.pid}}}}' {sandbox})"
    replace_in(directory / DEBUG / "enter.sh", INSPECT, pause)


@subject_sabotage("dbg-nsenter-right-target", "it enters whichever container of the pod is the youngest")
def enters_any_container(directory: Path) -> None:
    named = ' --label "io.kubernetes.container.name=$2")'
    replace_in(directory / DEBUG / "enter.sh", named, " | head -n 1)")


@subject_sabotage("dbg-tracing-low-overhead", "the runbook traces with strace")
def traces_with_strace(directory: Path) -> None:
    cheap, dear = 'perf trace --summary --pid "$pid"', '/usr/bin/strace -f -p "$pid"'
    replace_in(directory / DEBUG / "trace.sh", cheap, dear)


@subject_sabotage("dbg-tracing-low-overhead", "the runbook takes strace -c for cheap")
def counts_with_strace(directory: Path) -> None:
    cheap, dear = 'perf trace --summary --pid "$pid"', '/usr/bin/strace -c -p "$pid"'
    replace_in(directory / DEBUG / "trace.sh", cheap, dear)


@subject_sabotage("dbg-crictl-stop-before-rm", "it removes by force")
def removes_by_force(directory: Path) -> None:
    path = directory / DEBUG / "remove.sh"
    replace_in(path, 'crictl stop --timeout "${3:-60}" "$id"\n', "")
    replace_in(path, 'crictl rm "$id"', 'crictl rm --force "$id"')


@subject_sabotage("dbg-crictl-stop-before-rm", "it gives no time to end")
def stops_at_once(directory: Path) -> None:
    replace_in(directory / DEBUG / "remove.sh", '--timeout "${3:-60}"', "--timeout 0")


@subject_sabotage("dbg-crictl-stop-before-rm", "unless it is told a time the script gives none")
def no_time_by_default(directory: Path) -> None:
    replace_in(directory / DEBUG / "remove.sh", '--timeout "${3:-60}"', '${3:+--timeout "$3"}')


@subject_sabotage("dbg-crictl-stop-before-rm", "by itself the script gives a second, which is no time to end")
def a_second_by_default(directory: Path) -> None:
    replace_in(directory / DEBUG / "remove.sh", '"${3:-60}"', '"${3:-1}"')


@subject_sabotage("dbg-crictl-stop-before-rm", "a runbook stops without a time-out, which is none")
def no_timeout_in_the_page(directory: Path) -> None:
    replace_in(directory / "docs/debugging.md", "crictl stop --timeout 60 ID", "crictl stop ID")


@subject_sabotage("dbg-crictl-stop-before-rm", "a runbook removes by force")
def runbook_by_force(directory: Path) -> None:
    with (directory / "docs/debugging.md").open("a") as file:
        file.write("\n```\ncrictl rm -f ID\n```\n")


@subject_sabotage("dbg-oom-evidence-from-node", "it looks for the process alone, which names no cgroup")
def process_line_alone(directory: Path) -> None:
    both = "wanted && /oom-kill:constraint=CONSTRAINT_MEMCG|Killed process/"
    replace_in(directory / DEBUG / "oom.sh", both, "wanted && /Killed process/")


@subject_sabotage("dbg-oom-evidence-from-node", "it knows cgroups of one driver alone")
def other_spelling(directory: Path) -> None:
    replace_in(directory / DEBUG / "oom.sh", "index($0, plain) || index($0, systemd)", 'index($0, "none")')


@subject_sabotage("dbg-oom-evidence-from-node", "it takes the pods of that name of every namespace")
def any_namespace(directory: Path) -> None:
    replace_in(directory / DEBUG / "oom.sh", '--label "io.kubernetes.pod.namespace=${1%%/*}" ', "")


@subject_sabotage("dbg-crictl-stop-before-rm", "a runbook takes force for a graceful deletion")
def forced_deletion(directory: Path) -> None:
    with (directory / "docs/debugging.md").open("a") as file:
        file.write("\n```\nkubectl -n claude delete pod claude-agent-0 --grace-period=0 --force\n```\n")


@subject_sabotage(
    "dbg-tracing-low-overhead", "the runbook recommends strace -c, and says nothing of its cost"
)
def cost_not_told(directory: Path) -> None:
    path = directory / "docs/debugging.md"
    text = path.read_text()
    path.write_text("\n\n".join(each for each in text.split("\n\n") if "strace -c" not in each))


@subject_sabotage("dbg-tracing-low-overhead", "another page than the runbook recommends strace -c as cheap")
def cheap_on_another_page(directory: Path) -> None:
    with (directory / "docs/tiers.md").open("a") as file:
        file.write("\n`strace -c` only counts the calls of a process, which costs next to nothing.\n")


NAMED = ' --label "io.kubernetes.container.name=$2")'


@subject_sabotage(
    "dbg-nsenter-right-target", "it enters the youngest of those in whose names the word stands"
)
def enters_by_part_of_a_name(directory: Path) -> None:
    replace_in(directory / DEBUG / "enter.sh", NAMED, ' --name "$2" | head -n 1)')


@subject_sabotage("dbg-crictl-stop-before-rm", "it removes every container in whose name the word stands")
def removes_by_part_of_a_name(directory: Path) -> None:
    path = directory / DEBUG / "remove.sh"
    replace_in(path, NAMED, ' --name "$2")')
    replace_in(path, '"${3:-60}" "$id"', '"${3:-60}" $id')
    replace_in(path, 'crictl rm "$id"', "crictl rm $id")


@subject_sabotage("dbg-crictl-stop-before-rm", "without a cluster, a runbook removes the box by force")
def removed_by_force_without_a_cluster(directory: Path) -> None:
    with (directory / "docs/running.md").open("a") as file:
        file.write("\nTo start anew:\n\n```\ndocker rm -f claude\n```\n")


@subject_sabotage("dbg-tracing-low-overhead", "a page attaches strace, and says nothing of its cost")
def attached_as_if_cheap(directory: Path) -> None:
    with (directory / "docs/tiers.md").open("a") as file:
        file.write(
            "\nWhat the agent is doing:\n\n```\nkubectl -n claude exec claude-agent-0 -- strace -fcp 1\n```\n"
        )


@subject_sabotage(
    "dbg-nsenter-right-target", "it enters files and processes, and stays in the node's network"
)
def enters_without_the_network(directory: Path) -> None:
    replace_in(directory / DEBUG / "enter.sh", '--target "$pid" --all', '--target "$pid" --mount --pid')


@subject_sabotage("dbg-oom-evidence-from-node", "it looks at the end of the kernel's log alone")
def end_of_the_log(directory: Path) -> None:
    replace_in(directory / DEBUG / "oom.sh", "dmesg | awk", "dmesg | tail -n 20 | awk")


@subject_sabotage("dbg-crictl-stop-before-rm", "of the pods the runbook deletes that of the tools alone")
def only_the_tools_deleted(directory: Path) -> None:
    block = "```\nkubectl -n claude delete pod claude-agent-0\n```\n"
    replace_in(directory / "docs/debugging.md", block, "")


@subject_sabotage("dbg-crictl-stop-before-rm", "a runbook gives a pod one second to end")
def a_second_in_a_runbook(directory: Path) -> None:
    with (directory / "docs/debugging.md").open("a") as file:
        file.write("\n```\nkubectl -n claude delete pod claude-agent-0 --grace-period=1\n```\n")


@subject_sabotage(
    "dbg-tracing-low-overhead", "a script beside the runbook's attaches strace as if it were cheap"
)
def script_with_strace(directory: Path) -> None:
    text = '# Counts the calls of a process: calls.sh PID\nset -eu\nexec strace -f -c -p "$1"\n'
    (directory / DEBUG / "calls.sh").write_text(text)


RUNS = "crictl ps --quiet --state Running"
WAS = "crictl ps --quiet --all"


@subject_sabotage("dbg-nsenter-right-target", "it looks among the containers that have ended too")
def enters_what_has_ended(directory: Path) -> None:
    replace_in(directory / DEBUG / "enter.sh", RUNS, WAS)


@subject_sabotage("dbg-crictl-stop-before-rm", "it stops what a restart has left behind, as well")
def removes_what_has_ended(directory: Path) -> None:
    replace_in(directory / DEBUG / "remove.sh", RUNS, WAS)


@subject_sabotage(
    "dbg-tracing-low-overhead", "after a restart the runbook finds two processes, and traces none"
)
def traces_what_has_ended(directory: Path) -> None:
    replace_in(directory / DEBUG / "trace.sh", RUNS, WAS)


@subject_sabotage("dbg-oom-evidence-from-node", "of several kills of a pod it shows the first alone")
def first_kill_alone(directory: Path) -> None:
    end = "/Killed process/ { wanted = 0 }"
    replace_in(directory / DEBUG / "oom.sh", end, "wanted && /Killed process/ { exit }")


@subject_sabotage(
    "dbg-tracing-low-overhead", "a page says how to end strace, and not what it costs until then"
)
def how_to_end_it(directory: Path) -> None:
    with (directory / "docs/tiers.md").open("a") as file:
        file.write("\nWhat the agent is doing: `strace -c -f -p PID`; stop it with Ctrl-C for the table.\n")
