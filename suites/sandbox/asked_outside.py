"""What a launcher could take from outside: variables and files with usual names, and those in its source."""

from __future__ import annotations

import re

COMMON_VARIABLES = frozenset(
    {
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
        "no_proxy", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL",
        "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "OPENAI_API_KEY", "GITHUB_TOKEN", "GH_TOKEN",
        "GITLAB_TOKEN", "NPM_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE",
        "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "KUBECONFIG", "DOCKER_HOST",
        "DATABASE_URL", "PGPASSWORD", "SSH_AUTH_SOCK", "SSH_ASKPASS", "GPG_AGENT_INFO", "GNUPGHOME",
        "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "DBUS_SESSION_BUS_ADDRESS", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_CONFIG_GLOBAL",
        "GIT_SSH_COMMAND", "VISUAL", "PAGER", "BROWSER", "MAIL", "HOSTNAME", "LOGNAME",
        "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TMUX", "VIRTUAL_ENV",
    }
)  # fmt: skip
COMMON_FILES = (
    ".gitconfig", ".config/git/config", ".netrc", ".npmrc", ".pypirc", ".yarnrc", ".git-credentials",
    ".ssh/config", ".ssh/known_hosts", ".gnupg/pubring.kbx", ".aws/config", ".azure/config", ".kube/config",
    ".docker/config.json", ".config/gh/hosts.yml", ".config/gcloud/credentials.db", ".profile", ".bashrc",
    ".bash_history", ".zshrc", ".vimrc", ".inputrc", ".tmux.conf", ".cargo/credentials.toml",
    ".m2/settings.xml", ".cache/some/thing", ".local/share/some/thing", ".local/bin/some-thing",
    ".config/some/thing", ".claude.json", ".claude/settings.json", ".claude/settings.local.json",
    ".claude/CLAUDE.md", ".claude/agents/a.md", ".claude/commands/a.md", ".claude/skills/a/SKILL.md",
    ".claude/projects/x/a.jsonl", ".claude/history.jsonl", ".claude/todos/a.json", ".claude/statsig/a.json",
    ".claude/plugins/a.json", "Documents/a.txt",
)  # fmt: skip
VARIABLE = re.compile(r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z]+_proxy)\b")
# what changes how a program of the launch runs, and so would not show what comes in
STEERING = re.compile(r"(?:NIX|LC|LD|PYTHON|MALLOC|GCONV|BASH)_|CLAUDE_(?:CONFIG|SECURESTORAGE_CONFIG)_DIR$")
HIDDEN = re.compile(r"(?<![\w./])(?:~/)?(\.[a-z][\w-]*(?:/[\w.-]+)*)(?=[\"'])")


def variables(source: str) -> set[str]:
    """Return the names of variables that a launcher of this source could take from outside."""
    found = COMMON_VARIABLES | set(VARIABLE.findall(source))
    return {each for each in found if not STEERING.match(each)}


def files(source: str) -> set[str]:
    """Return paths below a home that a launcher of this source could take from there, none below another."""
    found = {*COMMON_FILES, *HIDDEN.findall(source)} - {".git"}  # it would make the home a repository
    return {each for each in found if not any(other.startswith(f"{each}/") for other in found)}
