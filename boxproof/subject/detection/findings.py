"""What is found of a box: facts for subject.toml with their places, and remarks for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# what stands beside an agent, by the names of workloads, containers and services
HELPERS = re.compile(
    r"redis|valkey|memcached|postgres|mysql|mariadb|mongo|minio|nginx|caddy|traefik|proxy|operator|controller"
    r"|rabbit|kafka|nats|etcd|elastic|opensearch|qdrant|weaviate|milvus|chroma|neo4j|clickhouse|ollama|vllm|ntfy"
    r"|prometheus|grafana|loki|otel|fluent|promtail|cloudflared|tailscale|git-sync|istio|linkerd"
    r"|^(db|database|cache|worker|migrate|backup|logs?|logger|logging|metrics|exporter|sidecar|egress|tunnel|vector"
    r"|dind)$|-(db|worker|migrate|backup|logs?|logger|metrics|exporter|sidecar|egress|tunnel|dind)$"
)
# variables that say where a CLI of an agent keeps its state, and directories in which one does
STATE_VARIABLE = re.compile(
    r"(CLAUDE_CONFIG_DIR|CODEX_HOME|GEMINI_CONFIG_DIR|OPENCODE_CONFIG_DIR|OPENCLAW_STATE_DIR|HERMES_HOME)"
)
STATE = re.compile(
    r"/.*/\.(config/|local/share/)?"
    r"(aider|claude|codex|copilot|crush|cursor|gemini|goose|hermes|openclaw|opencode|openhands|qwen)"
)
# what a volume is mounted at that holds the work, or what was installed for it
WORK = re.compile(r"(.*/)?(app|code|node_modules|projects?|repos?|repository|source|src|work|workspaces?)")
# what a volume is mounted at that ends with the start: sockets, scratch files, an engine's own data
RUNTIME = re.compile(r"/((var/)?(run|tmp)|dev|proc|sys|var/lib/(docker|containerd|containers))(/.*)?")


@dataclass(frozen=True)
class Fact:
    """One line of subject.toml: where it stands, its value, and what shows it."""

    table: str
    key: str
    value: object
    source: str


@dataclass
class Detected:
    """All facts, and remarks on what a person has to say."""

    facts: list[Fact] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, value: object, source: str) -> None:
        """Note a fact, "table.key" or "key", unless it says nothing or was noted before."""
        table, _, key = name.rpartition(".")
        if value not in ("", None, (), [], {}) and self.get(name) is None:
            self.facts.append(Fact(table, key, value, source))

    def drop(self, name: str) -> None:
        """Take a fact back."""
        table, _, key = name.rpartition(".")
        self.facts = [each for each in self.facts if (each.table, each.key) != (table, key)]

    def forget(self, path: str) -> None:
        """Take back what a recipe shows, and what was remarked on it."""
        self.facts = [each for each in self.facts if each.table != "image" and path not in each.source]
        self.remarks = [each for each in self.remarks if path not in each]

    def get(self, name: str) -> object:
        """Return a fact's value, None where there is none."""
        table, _, key = name.rpartition(".")
        return next((each.value for each in self.facts if (each.table, each.key) == (table, key)), None)

    def keeps(self, variables: Mapping[str, object], where: str, *, last: bool = False) -> None:
        """Note where one of the variables says that a CLI keeps its state, whatever is mounted elsewhere.

        A place that a variable said before stays, but for what is started with others at the ``last``.
        """
        known = next((each.source for each in self.facts if each.key == "config_dir"), "")
        named = [each for each in sorted(variables) if STATE_VARIABLE.fullmatch(each)]
        told = ((each, str(variables[each]).strip("\"'")) for each in named)
        for name, place in told:
            if place.startswith("/") and "$" not in place and (last or not STATE_VARIABLE.search(known)):
                self.drop("config_dir")
                self.add("config_dir", place.rstrip("/"), f"{where} {name}")
                return
