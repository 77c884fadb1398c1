"""Changes that let others in to the agent."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from sabotage.box_parts import agent_of, agent_policy, ports


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "one port is open over UDP")
def one_port_over_udp(objects: Objects) -> None:
    agent_policy(objects)["ingress"] = [{"ports": ports(8080, "UDP")}]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "an empty rule allows all ingress")
def allow_all_ingress(objects: Objects) -> None:
    agent_policy(objects)["ingress"] = [{}]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "the policy does not speak about ingress")
def no_ingress_type(objects: Objects) -> None:
    agent_policy(objects)["policyTypes"] = ["Egress"]
    agent_policy(objects).pop("ingress", None)


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the service is open to everyone")
def served_to_everyone(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"] = [{}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the service is open to every pod of the namespace")
def served_to_the_namespace(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"] = [{"podSelector": {}}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the intended client may reach every port")
def every_port_for_the_client(objects: Objects) -> None:
    del find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["ports"]


@manifest_sabotage(
    "netpol-ingress-denied-nothing-listens", "pods that are labelled like the agent may come in"
)
def agents_of_every_namespace(objects: Objects) -> None:
    labels = agent_policy(objects)["podSelector"]
    agent_policy(objects)["ingress"] = [{"from": [{"namespaceSelector": {}, "podSelector": labels}]}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the service answers under nobody's configuration")
def configuration_of_nobody(objects: Objects) -> None:
    """The volume is mounted where it was; the CLI looks elsewhere."""
    agent_of(objects).setdefault("env", []).append({"name": "CLAUDE_CONFIG_DIR", "value": "/tmp/claude"})


@manifest_sabotage("http-wrapper-works-and-is-scoped", "clients of every namespace are served")
def clients_of_every_namespace(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"][0]["namespaceSelector"] = {}


@manifest_sabotage(
    "http-wrapper-works-and-is-scoped", "whoever has the client's label, whatever it says, is served"
)
def any_value_of_the_label(objects: Objects) -> None:
    exists = {"matchExpressions": [{"key": "claude-api-client", "operator": "Exists"}]}
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"] = [{"podSelector": exists}]


image_sabotage(
    "listens_over_tcp", "netpol-ingress-denied-nothing-listens", "something in the box listens everywhere",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i socat TCP-LISTEN:9000,fork /dev/null \\&"),
)  # fmt: skip
image_sabotage(
    "listens_over_udp", "netpol-ingress-denied-nothing-listens", "something in the box listens over UDP",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i socat -u UDP-RECV:9000 /dev/null \\&"),
)  # fmt: skip


@manifest_sabotage("http-wrapper-works-and-is-scoped", "one namespace of others is served as well")
def served_to_one_namespace(objects: Objects) -> None:
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"].append(there)


@manifest_sabotage(
    "netpol-ingress-denied-nothing-listens", "with the watch of its token the agent is open on one port"
)
def watched_from_everywhere(objects: Objects) -> None:
    """The policy of that tier is about all pods of the namespace."""
    spec = find(objects, "NetworkPolicy", "claude-token-watch")["spec"]
    spec |= {"podSelector": {}, "ingress": [{"ports": ports(9464, "TCP")}]}


image_sabotage(
    "listens_by_default", "netpol-ingress-denied-nothing-listens", "what starts the CLI listens as well",
    dockerfile=edited(
        "/usr/local/lib/box/supervise.py",
        r's/^    logs\.install\(\)/&\n    import socket\n'
        r'    threading.Thread(target=socket.create_server(("", 9464)).accept, daemon=True).start()/',
    ),
)  # fmt: skip
image_sabotage(
    "listens_while_it_works", "netpol-ingress-denied-nothing-listens",
    "with the first prompt the api listens on another port, for who looks for errors",
    dockerfile=edited(
        "/usr/local/lib/box/prompts.py",
        r's/^( +)self\.starting \+= 1$/'
        r'\1self.debug = __import__("socket").create_server(("", 9229), reuse_port=True)\n&/',
    ),
)  # fmt: skip
