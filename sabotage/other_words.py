"""Sabotages that say a mistake in other words: in another markup, by another tool, by a variable."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import replace_in, subject_sabotage

CONFIG = "/home/claude/.claude"


def told(page: Path, *lines: str, language: str = "") -> None:
    """Add a block of commands to a page."""
    text = "\n".join(lines)
    page.write_text(f"{page.read_text()}\n```{language}\n{text}\n```\n")


@subject_sabotage("dbg-crictl-stop-before-rm", "a runbook in another markup deletes by force")
def forced_in_another_markup(directory: Path) -> None:
    """Write it in reStructuredText."""
    command = "kubectl -n claude delete pod claude-agent-0 --force"
    text = f"Restarting\n==========\n\n.. code-block:: bash\n\n   {command}\n"
    (directory / "docs/restarting.rst").write_text(text)


@subject_sabotage("dbg-crictl-stop-before-rm", "at root's prompt a page removes a container by force")
def forced_at_roots_prompt(directory: Path) -> None:
    """Show what was typed, with the prompt that begins a remark elsewhere."""
    told(directory / "docs/debugging.md", "# crictl rm -f ID", language="console")


@subject_sabotage("dbg-crictl-stop-before-rm", "a page has Compose kill the box, by a file of its own")
def killed_by_compose(directory: Path) -> None:
    """Put an option before the word."""
    told(directory / "docs/running.md", "docker compose -f compose.yaml kill claude")


@subject_sabotage("secret-not-in-logs-or-argv", "a page has a program print a login into a command's words")
def login_printed_into_the_words(directory: Path) -> None:
    """Take it from where a cloud keeps it."""
    login = "docker login -u AWS -p $(aws ecr get-login-password)"
    told(directory / "docs/installing.md", f"{login} registry.example.org")


@subject_sabotage("secret-not-in-logs-or-argv", "a page gives the chart a key among its options")
def key_as_a_value(directory: Path) -> None:
    """As the pages of many charts do."""
    told(directory / "docs/installing.md", "helm install claude chart --set auth.apiKey=YOUR-KEY")


@subject_sabotage("secret-not-in-logs-or-argv", "a page makes a Secret of a key among the words")
def secret_of_a_word(directory: Path) -> None:
    """Call the key as no other is called."""
    command = "kubectl create secret generic login --from-literal=api-key=YOUR-KEY"
    told(directory / "docs/authentication.md", command)


@subject_sabotage("secret-not-in-logs-or-argv", "a page clones by an address with a token in it")
def token_in_a_clones_address(directory: Path) -> None:
    """Leave its place to the reader."""
    command = "git clone https://YOUR_TOKEN@git.example.org/you/configuration.git"
    told(directory / "docs/configuration.md", command)


@subject_sabotage("secret-encrypted-at-rest", "another page's configuration writes Secrets as they are")
def written_as_they_are_on_another_page(directory: Path) -> None:
    """For a cluster that is made anew."""
    rule = "resources: [{resources: [secrets], providers: [{identity: {}}, {secretbox: {}}]}]"
    told(directory / "docs/existing-cluster.md", "kind: EncryptionConfiguration", rule, language="yaml")


@subject_sabotage("no-secret-in-build-args", "a recipe takes a token as an argument")
def token_as_an_argument(directory: Path) -> None:
    """Declare it."""
    replace_in(directory / "image/private.Dockerfile", "ARG URL\n", "ARG URL\nARG GITHUB_TOKEN\n")


@subject_sabotage("pod-spec-holds-no-literal-token", "the Compose file has a word in the place of a key")
def key_in_compose(directory: Path) -> None:
    """It has the shape of nothing."""
    line = "    environment:\n"
    replace_in(directory / "compose.yaml", line, f"{line}      ANTHROPIC_API_KEY: paste-it-here\n")


@subject_sabotage("no-cross-platform-credential-share", "a script collects a mount of the state in a list")
def state_in_a_list(directory: Path) -> None:
    """Name the engine by a variable."""
    lines = (
        "#!/bin/bash", 'ARGS=(--rm -it)', f'ARGS+=(-v "$HOME/.claude:{CONFIG}")',
        '"${ENGINE:-docker}" run "${ARGS[@]}" "$1"',
    )  # fmt: skip
    (directory / "docs/start.sh").write_text("\n".join((*lines, "")))


@subject_sabotage("no-cross-platform-credential-share", "a page for Windows mounts the host's home")
def home_of_windows(directory: Path) -> None:
    """As PowerShell names it."""
    mount = f"${{env:USERPROFILE}}/.claude:{CONFIG}"
    told(directory / "docs/running.md", f"docker run -v {mount} claude-in-a-box:TAG")


@subject_sabotage("no-cross-platform-credential-share", "a page mounts a home by one letter behind others")
def home_behind_other_letters(directory: Path) -> None:
    """Write the options in one word."""
    told(directory / "docs/running.md", "docker run -itv $HOME:/host claude-in-a-box:TAG")


@subject_sabotage("no-cross-platform-credential-share", "a development container mounts the host's state")
def state_in_an_editor(directory: Path) -> None:
    """Share the login with the editor's container."""
    mount = f"source=${{localEnv:HOME}}${{localEnv:USERPROFILE}}/.claude,target={CONFIG},type=bind"
    place = directory / ".devcontainer/devcontainer.json"
    place.parent.mkdir()
    place.write_text(f'{{"image": "claude-in-a-box:1.0", "mounts": ["{mount}"]}}\n')


@subject_sabotage("no-cross-platform-credential-share", "a page gives the nodes of kind the host's state")
def state_on_the_nodes(directory: Path) -> None:
    """From there any pod mounts it as a directory of its node's."""
    mount = "      - {hostPath: /Users/me/.claude, containerPath: /var/lib/claude}"
    lines = ("kind: Cluster", "nodes:", "  - role: worker", "    extraMounts:", mount)
    told(directory / "docs/existing-cluster.md", *lines, language="yaml")


@subject_sabotage("one-credential-file-per-agent", "Compose makes two containers that have one volume")
def two_by_compose(directory: Path) -> None:
    """Ask for more of them."""
    replace_in(directory / "compose.yaml", "    cap_drop: [ALL]\n", "    scale: 2\n    cap_drop: [ALL]\n")


@subject_sabotage("docker-healthcheck-works", "another page's command turns the health check off")
def off_on_a_page(directory: Path) -> None:
    """Add the option where subject.toml does not look."""
    page = directory / "docs/running.md"
    replace_in(page, "docker run --cap-drop ALL", "docker run --no-healthcheck --cap-drop ALL")


@subject_sabotage("no-shell-wrapper-inside-exec-form", "the Compose file puts a shell before the box")
def shell_by_compose(directory: Path) -> None:
    """Keep a copy of what it says."""
    line = '    entrypoint: ["sh", "-c", "/usr/local/bin/entrypoint 2>&1 | tee /tmp/log"]\n'
    replace_in(directory / "compose.yaml", "    cap_drop: [ALL]\n", f"{line}    cap_drop: [ALL]\n")


@subject_sabotage("mcp-read-only-enforced", "an example of values has a server that may write, as a table")
def writes_by_a_table(directory: Path) -> None:
    """Leave it to the chart to make a text of it."""
    server = "      command: /usr/local/bin/kubernetes-mcp-server\n      args: []\n"
    text = f"mcp:\n  mcpServers:\n    kubernetes:\n{server}"
    (directory / "chart/values-operator.yaml").write_text(text)


@subject_sabotage("iso-held-without-a-cluster", "a page has Compose add a capability to what it runs")
def capability_by_compose(directory: Path) -> None:
    """The file keeps none, the command gives one back."""
    told(directory / "docs/running.md", "docker compose run --rm --cap-add NET_ADMIN claude")


@subject_sabotage("secret-not-in-logs-or-argv", "a page has curl log in by a password among its words")
def password_behind_a_name(directory: Path) -> None:
    """It has the shape of nothing."""
    told(directory / "docs/configuration.md", "curl -u you:YOURS https://git.example.org/you/settings.json")
