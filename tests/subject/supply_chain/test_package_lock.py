"""What holds a tool to one version."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.image import dockerfile
from boxproof.subject.image.tools import Obtain, Tool
from boxproof.subject.supply_chain import package_lock
from boxproof.subject.supply_chain.packages import Package
from pytest_claims.faults import SubjectFault


def tool(version: str = "", **obtain: str) -> Tool:
    return Tool(name="x", works="x", version=version, obtain=Obtain.model_validate(obtain))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    module = tmp_path / "modules" / "m"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(
        "module a\n\nrequire (\n\texample.com/x/v4 v4.3.1\n\tk8s.io/kubectl v0.34.2\n)\n"
    )
    (module / "go.sum").write_text("example.com/x/v4 v4.3.1 h1:a=\nk8s.io/kubectl v0.34.2 h1:b=\n")
    return tmp_path


SHA = "sha512-" + "a" * 86 + "=="


@pytest.mark.parametrize(
    ("each", "held"),
    [
        (tool("4.3.1", way="go", module="m", package="example.com/x/v4/cmd/x"), True),
        (tool("4.3.2", way="go", module="m", package="example.com/x/v4/cmd/x"), False),
        (tool("1.34.2", way="go", module="m", package="."), True),
        (tool("1.34.3", way="go", module="m", package="."), False),
        (tool("4.3.1", way="go", module="none", package="example.com/x/v4"), False),
        (tool("1.2.3", way="npm", package="p", integrity=SHA), True),
        (tool("latest", way="npm", package="p", integrity=SHA), False),
        (tool("^1.2.3", way="npm", package="p", integrity=SHA), False),
        (tool("1.2.3", way="npm", package="p"), False),
        (tool(way="package", package="jq"), True),
        (tool(way="package", package="curl"), False),
    ],
)
def test_a_version_is_exact_and_guarded(context: Path, each: Tool, held: bool) -> None:
    assert (package_lock.loose([each], context, {"jq": "1.6-2.1"}) == {}) is held


def test_the_lock_keeps_systems_apart(tmp_path: Path) -> None:
    (tmp_path / package_lock.LOCK).write_text("# words\nubuntu-24.04 jq 1.7\ndebian-12 jq 1.5\n")
    text = package_lock.written(tmp_path, "debian-12", {"jq": Package("jq", "1.6"), "a": Package("a", "1:2")})
    assert text == "# words\nubuntu-24.04 jq 1.7\ndebian-12 a 1:2\ndebian-12 jq 1.6\n"
    assert package_lock.locked(tmp_path, "ubuntu-24.04") == {"jq": "1.7"}
    assert package_lock.locked(tmp_path / "none", "ubuntu-24.04") == {}


def test_a_system_says_what_it_is() -> None:
    assert package_lock.system('ID=debian\nVERSION_ID="12"\n') == "debian-12"
    with pytest.raises(SubjectFault):
        package_lock.system("")


def test_a_tool_says_its_version_and_no_longer_one() -> None:
    assert package_lock.says("4.3.1", 'version.BuildInfo{Version:"v4.3.1", GitCommit:""}')
    assert not package_lock.says("4.3.1", "v4.3.10")
    assert not package_lock.says("4.3.1", "14.3.1")
    assert not package_lock.says("4.3.1", "4.3.1-rc1")


def test_a_download_without_a_checksum_is_seen() -> None:
    text = "FROM a\nRUN curl -o /x https://e.invalid/latest/download/x\nRUN apt-get install -y curl\n"
    assert len(package_lock.unguarded(dockerfile.parse(text))) == 1
    guarded = "FROM a\nRUN curl -o x https://e.invalid/x && echo 'abc x' | sha256sum -c\n"
    assert package_lock.unguarded(dockerfile.parse(guarded)) == []


SUM = "a" * 64


@pytest.mark.parametrize(
    "step",
    [
        "RUN curl -fsSLo /x https://example.invalid/x",
        f"RUN curl -o /x https://example.invalid/x && echo '{SUM}  /x' | sha256sum",
        f"RUN curl -o /x https://e/x && curl -o /y https://e/y && echo '{SUM}  /x' | sha256sum -c -",
        "RUN curl -fsSLO https://e/x -O https://e/x.sha256 && sha256sum -c x.sha256",
        "RUN curl -o x $AT/x -o sums $AT/sums https://e && sha256sum --check sums",
        "RUN wget https://e/x https://e/SHA256SUMS && sha256sum -c --ignore-missing SHA256SUMS",
        "RUN python3 -c \"import urllib.request as u; u.urlretrieve('https://example.invalid/x', '/x')\"",
        "RUN git clone https://example.invalid/x /x",
        "RUN npm install -g x",
        "RUN pip install x==1.0",
        "RUN python3 -m pip install x==1.0",
        "RUN env X=1 npm install x",
        'RUN ["/opt/venv/bin/pip3.12", "install", "x"]',
        "RUN sh -c 'cd /x && npm install x'",
        "RUN cat </dev/tcp/example.invalid/80 >/x",
        "RUN cargo install x",
        "ADD https://example.invalid/x /x",
        "ADD git@example.invalid:x/y.git /x",
        "RUN <<EOF\nwget https://example.invalid/x\nEOF",
        "RUN gh release download --repo a/b --pattern c",
        "RUN . /opt/nvm/nvm.sh && nvm install --lts",
        "RUN python3 -m playwright install --with-deps chromium",
        "RUN deno install -g npm:tool",
        "RUN code-server --install-extension a.b",
    ],
)
def test_a_fetch_that_nothing_holds_is_seen_whatever_fetches(step: str) -> None:
    assert len(package_lock.unguarded(dockerfile.parse(f"FROM a:1\n{step}\n"))) == 1


@pytest.mark.parametrize(
    "step",
    [
        f"RUN curl -o /x https://e/x && echo '{SUM}  /x' | sha256sum -c -",
        f"ADD --checksum=sha256:{SUM} https://example.invalid/x /x",
        f"RUN git clone https://example.invalid/x /x && git -C /x checkout {'b' * 40}",
        f"RUN curl -x http://p:1 -e http://r -o /x https://e/x && echo '{SUM}  /x' | sha256sum -c -",
        f"RUN curl -O https://e/x -O https://e/y && {{ echo '{SUM}  x'; echo '{SUM}  y'; }} | sha256sum -c -",
        "RUN pip install --require-hashes -r /requirements.txt",
        "RUN gh --version && nvm use 22 && claude mcp list && code-server --version",
        "RUN python3 -m pip install --require-hashes -r /requirements.txt",
        "RUN command -v npm && env",
        "RUN apt-get install -y curl git wget",
        "RUN git config --system safe.directory /workspace",
        "ADD rootfs.tar /",
    ],
)
def test_what_is_held_or_fetches_nothing_is_fine(step: str) -> None:
    assert package_lock.unguarded(dockerfile.parse(f"FROM a:1\n{step}\n")) == []
