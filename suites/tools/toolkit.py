"""The toolkit that the claims speak of: which tools, in which tier, and work of our own choosing for them.

None of it is read from the subject: a list of tools that is cut short, or a tool that is declared for a tier
where nobody looks, does not lower what is asked. The work is ours too, with a word that nobody knows before.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from boxproof.agent.agent_tools import Exec
from boxproof.probes.pressure import demand_speed
from boxproof.subject.image.tools import Tool
from pytest_claims.pace import stretched
from pytest_claims.recording import observations

TIERS = {
    "netraw": "tcpdump",
    "netadmin": "iptables",
    "node": "crictl nerdctl perf bpftrace",
    "default": """
        kubectl helm k9s stern kubectx kubens kustomize kubernetes-mcp-server crane dive syft grype trivy
        curl wget dig nslookup host nmap mtr traceroute ping ss ip nc socat openssl htop strace gdb lsof
        jq yq bat git rg fd less vim.tiny tmux claude
    """,
}
DECLARED = {name: tier for tier, names in TIERS.items() for name in names.split()}
SHORTEST = 4  # characters of words that say why a tool refuses
LIMIT, SIDE_BY_SIDE = 60, 4  # seconds of a tool, and tools at a time
CA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
VERSION = "https://kubernetes.default.svc/version"
NAME = "kubernetes.default.svc.cluster.local"
CONFIG = "export KUBECONFIG=$(mktemp) && pod-kubeconfig >$KUBECONFIG"
K9S = (
    "cd $(mktemp -d) && export KUBECONFIG=$PWD/config K9S_CONFIG_DIR=$PWD K9S_LOGS_DIR=$PWD"
    " TERM=xterm-256color && pod-kubeconfig >config"
    " && {{ for each in $(seq 30); do sleep 1; printf ' ' || break; done; }} 2>/dev/null"
    " | timeout 50 script -qec 'stty rows 40 cols 160; k9s --readonly --headless --command pods' /dev/null"
    " | grep -q {pod} && echo {word}"
)
# of a network without others every address of the machine answers: which one is asked comes from the word
ADDRESS = "address=127.$((0x$(echo {word} | cut -c2-3) % 250 + 1)).$((0x$(echo {word} | cut -c4-5))).7"
PORT = "port=$((0x$(echo {word} | cut -c2-4) + 20000))"
THERE = "for each in $(seq 50); do [ -S {socket} ] && break; sleep 0.2; done"
# {word} is printed where the tool has done its work, {pod} and {uid} are the box's own, {git} the cluster's
# version, {service} the address of its API server.
WORK = {
    "kubectl": "kubectl get pod {pod} -o 'jsonpath={{.metadata.uid}}' | grep -qx {uid} && echo {word}",
    "curl": f"curl -sS --max-time 20 --cacert {CA} {VERSION} | grep -q '{{git}}' && echo {{word}}",
    "wget": f"wget -qO- --timeout=20 --ca-certificate={CA} {VERSION} | grep -q '{{git}}' && echo {{word}}",
    "jq": 'echo \'{{"a": "{word}"}}\' | jq -r .a',
    "yq": "printf 'a: {{b: {word}}}\n' | yq .a.b",
    "dig": f"dig +short +time=5 {NAME} | grep -qx {{service}} && echo {{word}}",
    "nslookup": f"nslookup -timeout=5 {NAME} | grep -q 'Address: {{service}}' && echo {{word}}",
    "helm": "cd $(mktemp -d) && helm create {word} >/dev/null && helm template {word} | grep -om1 {word}",
    "k9s": K9S,
    "stern": "timeout 30 stern --no-follow --tail=3 '^{pod}$' | grep -q {pod} && echo {word}",
    "kubectx": f"{CONFIG} && kubectx {{word}}=. >/dev/null && kubectx -c",
    "kubens": f"{CONFIG} && kubens kube-system >/dev/null && kubectl config view --minify"
    " -o 'jsonpath={{..namespace}}' | grep -qx kube-system && echo {word}",
    "kustomize": "cd $(mktemp -d) && echo 'namePrefix: {word}-' >kustomization.yaml"
    " && echo 'configMapGenerator: [{{name: b, literals: [c=7]}}]' >>kustomization.yaml"
    " && kustomize build | grep -o {word}",
    "host": f"host -W 5 {NAME} | grep -q 'has address {{service}}' && echo {{word}}",
    "git": "cd $(mktemp -d) && git init -q && git -c user.name=x -c user.email=x@localhost"
    " commit -q --allow-empty -m {word} && git log --format=%s",
    "rg": "cd $(mktemp -d) && echo {word} >hay && rg --no-filename {word} .",
    "fd": "cd $(mktemp -d) && mkdir sub && touch sub/{word} && fd --type=file {word} . | grep -o {word}",
    "bat": "echo {word} | bat --style=plain --color=never --paging=never",
    "openssl": "openssl req -x509 -newkey ed25519 -nodes -keyout /dev/null -subj /CN={word} -days 1"
    " 2>/dev/null | openssl x509 -noout -subject | grep -o {word}",
    "socat": "echo {word} | socat - EXEC:cat",
    "vim.tiny": "file=$(mktemp) && echo old >$file"
    " && vim.tiny -es -u NONE -i NONE -c '%s/old/{word}/' -c wq $file && cat $file",
    "crane": "cd $(mktemp -d) && echo {word} >needle && tar -cf a.tar needle && crane append"
    " --new_layer a.tar --new_tag a:1 --output b.tar 2>/dev/null && crane export - - <b.tar | tar -xO needle",
    "ip": "ip -o address show lo | grep -q 127.0.0.1 && echo {word}",
    "strace": "strace -f -e trace=execve /bin/echo {word} 2>&1 | grep -q 'execve(.*{word}' && echo {word}",
    "lsof": "file=$(mktemp) && exec 9>$file && lsof -w -t $file | grep -qx $$ && echo {word}",
    "nc": f"cd $(mktemp -d) && {{{{ nc -l -U s >got & {THERE.format(socket='s')};"
    " echo {word} | nc -N -U s; wait; cat got; }}",
    "ss": f"cd $(mktemp -d) && {{{{ nc -l -U {{word}} & {THERE.format(socket='{word}')};"
    " ss -xlH | grep -om1 {word}; kill $!; }}",
    "nmap": f"{PORT}; nc -lk 127.0.0.1 $port >/dev/null & {{{{ for each in $(seq 50); do ss -tlnH"
    " | grep -q :$port && break; sleep 0.2; done; nmap -n -Pn -sT -p $port 127.0.0.1"
    ' | grep -q "^$port/tcp *open" && echo {word}; kill $!; }}',
    "mtr": f"{ADDRESS}; mtr --no-dns --report --report-cycles 1 $address"
    ' | grep -q "$address *0.0%" && echo {word}',
    "traceroute": f"{ADDRESS}; traceroute -n -m 3 -w 5 $address"
    ' | grep -q "^ *1  *$address " && echo {word}',
    "gdb": "timeout 50 gdb -nx -q -batch -ex starti -ex 'info proc' --args /bin/true {word} </dev/null 2>&1"
    " | grep '^cmdline' | grep -om1 {word}",
    "less": "file=$(mktemp) && {{ seq 900; echo {word}; }} >$file && {{ sleep 1; printf q; }}"
    ' | TERM=xterm timeout 50 script -qec "less +G $file" /dev/null | grep -om1 {word}',
    "tmux": "export TMUX_TMPDIR=$(mktemp -d) && tmux -f /dev/null new-session -d 'echo {word}; sleep 40'"
    " && for each in $(seq 50); do tmux capture-pane -p | grep -q {word} && break; sleep 0.2; done;"
    " tmux capture-pane -p | grep -om1 {word}; tmux kill-server",
    "syft": "cd $(mktemp -d) && echo '{word}==1.2.3' >requirements.txt && SYFT_CHECK_FOR_APP_UPDATE=false"
    " timeout 50 syft scan dir:. --quiet --output spdx-json"
    " | jq -r '.packages[] | select(.versionInfo == \"1.2.3\") | .name'",
    "trivy": "cd $(mktemp -d) && mkdir {word} && printf 'FROM scratch\\nUSER root\\n' >{word}/Dockerfile"
    " && timeout 50 trivy --quiet --cache-dir cache config --skip-check-update --skip-version-check"
    ' --format json . | jq -r \'.Results[] | select(any(.Misconfigurations[]?.Title; test("root")))'
    " | .Target' | grep -om1 {word}",
    "ping": "ping -c1 -W5 127.0.0.1 | grep -q '1 received' && echo {word}",
}
NAMED = (
    "kubectl",
    "curl",
    "wget",
    "jq",
    "yq",
    "dig",
    "nslookup",
    "helm",
    "k9s",
    "stern",
    "kubectx",
    "kubens",
)


def lacking(tools: Mapping[str, Tool]) -> dict[str, str]:
    """Return what a subject's list has otherwise than the toolkit, by tool; an observation."""
    found = {name: "not in the list" for name in DECLARED if name not in tools}
    for name, tier in DECLARED.items():
        if name in tools and tools[name].tier != tier:
            found[name] = f"declared for the {tools[name].tier} tier, not the {tier} one"
    quiet = [each for each in tools.values() if each.tier != "default" and len(each.refusal) < SHORTEST]
    found |= {
        each.name: f"declared to refuse with {each.refusal!r}, which any failure says" for each in quiet
    }
    observations.record("list of tools", f"{len(tools)} tools", found)
    return found


def failing(run: Exec, commands: Mapping[str, str], asked: str, *, doubted: bool = True) -> dict[str, str]:
    """Return what fails of commands, by tool, with its words; ``run`` is ``box.exec``. An observation.

    Raises Unjudged where the machine is too slow to tell and a failure is to be ``doubted``: it is not meant.
    """

    def tried(command: str) -> str:
        done = run(["timeout", f"{stretched(LIMIT):.0f}", "sh", "-c", command], timeout=stretched(LIMIT) + 30)
        return "" if done.ok else f"{done.code}: {(done.stdout + done.stderr).strip()[-200:]}"

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        said = dict(zip(commands, pool.map(tried, commands.values()), strict=True))
    found = {name: each for name, each in said.items() if each}
    if found and doubted:
        demand_speed(f"tools fail: {', '.join(sorted(found))}")
    observations.record("failing tools", asked, found)
    return found


def idle(
    run: Exec, names: Collection[str], values: Mapping[str, str], asked: str, *, doubted: bool = True
) -> dict[str, str]:
    """Return which tools do not do the work that is asked of them here, with what they said instead.

    ``values`` fill in the commands. An observation; raises Unjudged as ``failing`` does.
    """

    def tried(name: str) -> str:
        word = f"w{secrets.token_hex(6)}"
        command = WORK[name].format(word=word, **values)
        done = run(["timeout", f"{stretched(LIMIT):.0f}", "sh", "-c", command], timeout=stretched(LIMIT) + 30)
        return (
            ""
            if word in done.stdout.split()
            else f"{done.code}: {(done.stdout + done.stderr).strip()[-200:]}"
        )

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        said = dict(zip(names, pool.map(tried, names), strict=True))
    found = {name: each for name, each in said.items() if each}
    if found and doubted:
        demand_speed(f"tools do not work: {', '.join(sorted(found))}")
    observations.record("tools that do not work", asked, found)
    return found
