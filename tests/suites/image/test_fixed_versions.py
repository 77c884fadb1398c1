"""What counts as fixed, kept or secret in a recipe."""

from __future__ import annotations

import pytest

from boxproof.subject.image.dockerfile import parse
from suites.image.fixed_versions import secrets_in_words, uncached, unfixed

LATEST = "curl -fsSLO https://example.com/latest"
FLOATING = [
    "apk add --no-cache tini",
    "apk add --virtual .build gcc",
    "apt-get install -y --no-install-recommends jq",
    "dnf install -y jq",
    "npm install -g @anthropic-ai/claude-code",
    "npm i -g tool@latest",
    "pip install --no-cache-dir tool",
    "go install example.com/x@latest",
    "curl -fsSL https://example.com/install.sh -o /tmp/install.sh",
    "brew install node@22",
    "wget -q https://example.com/tool",
    "apt-get -y dist-upgrade",
    "apk upgrade --no-cache",
    "dnf -y update",
    "python3 -m pip install --quiet tool",
    "/opt/venv/bin/python3.12 -I -m pip install tool",
    "/opt/venv/bin/pip3.12 install tool",
    "env X=1 npm install tool",
    "timeout -k 5 60 npm install tool",
    "sudo -E -u root pip install tool",
    "nice -n 10 nohup pip install tool",
    "sh -euc 'cd /x && pip install tool'",
    "(cd /x && npm install tool)",
    "said=$(pip install tool)",
    '["python3", "-m", "pip", "install", "tool"]',
    '["/bin/sh", "-c", "npm install tool"]',
    "yarn global add tool",
    "uv pip install --system tool",
    "sudo apt-get install -y jq",
    "uv tool install tool",
    "pipx install tool",
    "pnpm add -g tool",
    "bun add -g tool",
    "cargo install tool",
    "cargo install --locked tool",
    "cargo install tool@1.2.3",
    "cargo install --version 1.2.3 tool",
    "pip install -c versions.txt git+https://example.com/x@main",
    "curl -fsSLO https://example.com/tool && echo 0 | sha256sum",
    "curl -fsSL https://example.com/tool -o /x/tool && echo 'abc  /x/other' | sha256sum -c -",
    "curl -fsSLO https://example.com/a && curl -fsSLO https://example.com/b && echo '0  a' | sha256sum -c",
    "curl -fsSL https://example.com/tool | tar xz && echo 'abc  /etc/hosts' | sha256sum -c",
    "SUM=sha256sum; curl -fsSLO https://example.com/tool",
    "curl -fsSLO https://example.com/tool # sha256sum",
    f"{LATEST}/tool && curl -fsSLO https://example.com/latest/SUMS && sha256sum -c SUMS",
    f"{LATEST}/a -O https://example.com/latest/a.asc && gpg --verify a.asc a",
    f'{LATEST}/tool && echo "$(cat SUM)  tool" | sha256sum -c || true',
    "curl -fsSLO https://example.com/tool-1.2 && echo '0  tool-1.2' | sha256sum -c - || :",
    "curl -fsSLO https://example.com/tool-1.2 && cosign verify-blob --key k tool-1.2 || echo bad",
    "curl -fsSLO https://example.com/1.2/tool && sha256sum tool",
    "gem install tool",
    "git clone https://example.com/x /x",
    "git clone --depth 1 --branch v1 https://example.com/x /x",
    'sh -c "$(curl -fsSL https://example.com/install.sh)"',
    "npm install https://example.com/tool.tgz",
    "echo ${X} && npm install tool",
    "npm install -f tool",
    "pnpm add -w tool",
    "apt-get install -y jq=1.6*",
    "apk add --no-cache jq=~1.7",
    "apk add 'jq>=1.7'",
    "dnf install -y java-17-openjdk",
    "microdnf install -y git-2.4*",
    "tdnf install -y jq",
    "zypper --non-interactive in jq",
    "zypper up -y",
    "pacman -Syu --noconfirm jq",
    "pip install git+https://example.com/tool.git@main",
    "pip install tool==1.*",
    "uv tool install tool@latest",
    "apt-get install -y $(cat /tmp/none)",
    "apt-get install -y `cat /tmp/none`",
    "apk add jq=1.7-r0 ${MORE}",
    "P='jq curl'; apt-get install -y $P",
    "for each in jq curl; do apk add $each; done",
    "xargs -r apt-get install -y < loose.txt",
    "cat /tmp/loose.txt | xargs npm install -g",
    "while read -r each; do apt-get install -y $each; done < loose.txt",
    "pip install $(grep -v '^#' loose.txt)",
]
FIXED = [
    "apk add --no-cache tini=0.19.0-r3",
    "apt-get install -y jq=1.6-2.1",
    "npm ci",
    "npm install -g @anthropic-ai/claude-code@2.1.62",
    "npm install",
    "pip install -r requirements.txt",
    "pip install tool==1.2",
    "pip install tool==1.2 2>/dev/null >> /log",
    "go install example.com/x@v1.2.3",
    "curl -fsSLO https://example.com/tool && echo 'abc  tool' | sha256sum -c",
    "curl --version",
    "apt-get update",
    "useradd -m agent",
    "python3 -m pip install tool==1.2",
    "python3 -m compileall -q /usr/lib/python3",
    "command -v pip",
    "env",
    '["useradd", "-m", "agent"]',
    "uv pip install -r requirements.txt",
    "pnpm install --frozen-lockfile",
    "cargo install --locked tool@1.2.3",
    "cargo install --locked --version 1.2.3 tool",
    "curl -fsSLO https://example.com/tool && sha256sum -c <<EOS\nabc  tool\nEOS",
    'curl -fsSLo "${f}" https://example.com/x && echo "1  $f" | sha256sum -c',
    "curl -fsSL https://example.com/key | gpg --import"
    " && curl -fsSLO https://example.com/t && gpg --verify t.asc t",
    "cargo install --path .",
    "curl -fsSLO https://example.com/v1.2/a -O https://example.com/v1.2/SUMS && sha256sum -c SUMS",
    "curl -fsSLO https://example.com/stable/tool-1.2.tgz && sha256sum -c --ignore-missing SUMS tool-1.2.tgz",
    f"{LATEST}/tool && sha256sum -c /run/SUMS",
    f"{LATEST}/tool && echo '{'a' * 64}  tool' | sha256sum -c -",
    f'{LATEST}/tool && echo "$SUM  tool" | sha256sum -c -',
    'curl -fsSLO https://example.com/1.2/tool && [ "$(sha256sum tool | cut -d\' \' -f1)" = "$SUM" ]',
    "curl -fsSLO https://example.com/1.2/tool && sha256sum tool | grep -q ^0123",
    "curl -fsSLO https://example.com/1.2/tool && sha256sum tool > found && cmp found wanted",
    "curl -fsSLO https://example.com/1.2/tool && openssl dgst -sha256 -verify k.pem -signature s tool",
    "gem install tool -v 1.2",
    "gem install tool:1.2",
    "git clone https://example.com/x /x && git -C /x checkout " + "a" * 40,
    "npm install -g --registry https://example.com tool@1.2.3",
    "pip install --index-url https://example.com/simple tool==1.2",
    "npm install -g tool.tgz",
    "apt-get install -y jq=1.6 > /dev/null",
    "dnf install -y jq-1.7.1-8.el9 tzdata-2024a-1.el9",
    "zypper --non-interactive install jq=1.7.1",
    "pacman -Scc --noconfirm",
    "pip install git+https://example.com/tool.git@v1.2.3",
    "uv tool install tool@1.2",
]


@pytest.mark.parametrize("command", FLOATING)
def test_what_names_no_version_floats(command: str) -> None:
    assert len(unfixed(parse(f"FROM a:1\nRUN {command}\n"), locked=False)) == 1


@pytest.mark.parametrize("command", FIXED)
def test_what_names_one_is_fixed(command: str) -> None:
    assert unfixed(parse(f"FROM a:1\nRUN {command}\n"), locked=False) == []


@pytest.mark.parametrize(
    ("line", "floats"),
    [
        ("ADD https://example.com/x /x", True),
        ("ADD --checksum=sha256:0 https://example.com/x /x", False),
        ("ADD https://example.com/x.git#" + "a" * 40 + " /x", False),
        ("ADD https://example.com/x.git#main /x", True),
        ("ADD x.tar.gz /", False),
        ('ADD ["https://example.com/x", "/x"]', True),
        ('ADD ["x", "/x"]', False),
        ("ADD git@example.com:a/x.git#main /x", True),
        ("ADD git@example.com:a/x.git#" + "a" * 40 + " /x", False),
        ("COPY x /", False),
    ],
)
def test_an_add_of_an_address_floats_without_a_checksum(line: str, floats: bool) -> None:
    assert bool(unfixed(parse(f"FROM a:1\n{line}\n"), locked=False)) is floats


def test_a_lock_holds_the_packages_of_the_distribution_alone() -> None:
    recipe = parse("FROM a:1\nRUN apt-get install -y jq && npm install -g tool\n")
    assert unfixed(recipe, locked=True) == ["npm install -g tool"]
    assert unfixed(parse("FROM a:1\nRUN apt-get upgrade -y\n"), locked=True) == ["apt-get upgrade -y"]


def test_an_installation_is_cached_by_the_mount_of_its_run() -> None:
    text = (
        "FROM a:1\nRUN --mount=type=cache,target=/x apt-get install -y a\nRUN apk add b\nRUN echo install\n"
    )
    assert uncached(parse(text)) == ["apk add b"]


def test_a_secret_is_known_by_its_name() -> None:
    text = 'FROM a:1\nARG NPM_TOKEN\nARG TOKENIZER=1\nENV A=1 MY_API_KEY="x"\nENV AGENT_TOKEN=\n'
    text += "ENV DB_PASSWORD x\n"
    assert secrets_in_words(parse(text)) == ["ARG NPM_TOKEN", "ENV DB_PASSWORD", "ENV MY_API_KEY"]


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("ENV TOKEN_FILE=/run/token", False),
        ("ENV PASSWORD_STORE_DIR=~/.store ACCESS_TOKEN_TTL=3600s", False),
        ("ARG SECRET_SCAN=true", False),
        ("ENV TOKEN=$GIVEN", True),
        ("ENV DB_PASSWORD=1234", True),
        ("ENV API_KEY=true", True),
        ("ENV TOKEN_FILE=sk-1", True),
        ("ARG ACCESS_TOKEN", True),
        ("ARG ACCESS_TOKEN=abc", True),
        ("ENV TOKEN_FILE=", False),
    ],
)
def test_what_is_about_a_secret_is_none_with_a_path_a_number_or_a_switch(line: str, secret: bool) -> None:
    assert bool(secrets_in_words(parse(f"FROM a:1\n{line}\n"))) is secret


MOMENT = "20240101T000000Z"
GET = "RUN curl -fsSL https://example.com/v1/tool -o /usr/local/bin/tool\n"
CHECK = "RUN echo '0  /usr/local/bin/tool' | sha256sum -c -\n"


@pytest.mark.parametrize(
    ("lines", "floats"),
    [
        (GET + CHECK, False),
        (GET + "USER 7\n" + CHECK, False),
        (CHECK + GET, True),
        (GET + "FROM a:1\n" + CHECK, True),
        (GET + CHECK.replace("tool", "other"), True),
        (GET + "RUN cd /x && sha256sum --ignore-missing -c SHA256SUMS\n", False),
        (GET + "RUN shasum -a 256 --check sums\n", False),
        ("RUN wget -qO- https://example.com/x.sh | sh\n" + CHECK, True),
        ("RUN wget --output-document=/tmp/tool https://example.com/x\n" + CHECK, False),
        ("RUN curl -fsSLO https://example.com/tool.tgz\nRUN gpg --verify tool.tgz.asc tool.tgz\n", False),
        ("ADD https://example.com/tool /tmp/\n" + CHECK, False),
        ("ADD https://example.com/x /tmp/\n" + CHECK.replace("tool", "tmp"), True),
        ("ADD https://example.com/x /tmp/tool\n" + CHECK, False),
        ("RUN git clone https://example.com/x /x\nRUN cd /x && git checkout " + "a" * 40 + "\n", False),
        ("RUN git clone https://example.com/x /x\nRUN cd /x && git checkout main\n", True),
        ("RUN curl -fsSL https://example.com/x -o x && echo 0 x | shasum -a 256 -c\n", False),
    ],
)
def test_what_is_brought_may_be_held_by_a_later_command_of_its_stage(lines: str, floats: bool) -> None:
    assert bool(unfixed(parse(f"FROM a:1\n{lines}"), locked=False)) is floats


@pytest.mark.parametrize(
    ("lines", "floating"),
    [
        (f"RUN echo deb http://archive.example.com/debian/{MOMENT} x main > /l && apt-get install a",
         []),
        (f"ARG D={MOMENT}\nRUN echo https://archive.example.com/ubuntu/$D/ > /l\nRUN apt-get install a", []),
        (f"RUN sed -i 's#http.*#http://archive.example.com/{MOMENT}#' /l && apt-get install a", []),
        ("RUN apt-get install --snapshot 20240101T000000Z a", []),
        ("RUN echo APT::Snapshot x > /x\nFROM first\nRUN apt-get install a && pip install b",
         ["pip install b"]),
        ("RUN echo deb http://archive.example.com/debian x main > /l && apt-get install a",
         ["apt-get install a"]),
        (f"RUN curl -fO https://example.com/{MOMENT}/x && apt-get install a",
         [f"curl -fO https://example.com/{MOMENT}/x (no checksum)", "apt-get install a"]),
        ("RUN pip install -c versions.txt tool", []),
        ("RUN pip install --constraint=versions.txt tool", []),
    ],
)  # fmt: skip
def test_an_archive_of_one_moment_and_a_file_of_versions_hold_packages(
    lines: str, floating: list[str]
) -> None:
    assert unfixed(parse(f"FROM a:1 AS first\n{lines}\n"), locked=False) == floating


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("ENV MAX_TOKEN=4096", False),
        ("ENV MAX_TOKEN=a1b2c3d4", True),
        ("ENV PASSWORD_HASH_ALGO=argon2", False),
        ("ENV CREDENTIAL_STORE=file-system", False),
        ("ENV TOKEN_URL=https://example.com/token", False),
        ("ENV TOKEN_URL=https://me:secret@example.com/token", True),
    ],
)
def test_what_is_about_a_secret_is_none_with_a_word_or_an_address(line: str, secret: bool) -> None:
    assert bool(secrets_in_words(parse(f"FROM a:1\n{line}\n"))) is secret


def test_what_a_file_lists_is_judged_by_its_lines() -> None:
    lists = {"/x/held.txt": "jq=1.7-r0  # for scripts\ncurl=8.9-r1\n", "/x/loose.txt": "jq\n"}
    for name, floats in (("held.txt", False), ("loose.txt", True), ("none.txt", True)):
        for command in (
            f"apk add $(cat /tmp/{name})",
            f"xargs apk add < /tmp/{name}",
            f"while read -r each; do apk add $each; done < /tmp/{name}",
            f"P=$(cat /tmp/{name}); apk add $P",
        ):
            found = unfixed(parse(f"FROM a:1\nRUN {command}\n"), locked=False, texts=lists)
            assert bool(found) is floats, (command, found)


@pytest.mark.parametrize("command", ["P='a=1-r0 b=2-r0'; apk add $P", "for p in a=1-r0; do apk add $p; done"])
def test_what_a_variable_names_with_versions_is_fixed(command: str) -> None:
    assert unfixed(parse(f"FROM a:1\nRUN {command}\n"), locked=False) == []
