"""Bad files, by hand and generated: one line, the right code, and nothing left behind."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cli.main import main
from boxproof.cluster import cells
from boxproof.core import own_project
from boxproof.subject import model
from boxproof.subject.image import tools
from boxproof.subject.manifests import sources
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import SubjectFault, UsageError
from tests.support.bad_input import (
    NAMED,
    Content,
    a_dangling_link,
    a_device,
    a_directory,
    a_huge_file,
    a_loop,
    a_pipe,
    box,
    told,
)

pytestmark = pytest.mark.usefixtures("places")
FILES = b"name = 'x'\n[manifests]\nfiles = [%s]"
WAIVER = b"[[waiver]]\nclaim = '%s'\nreason = 'x'\nowner = 'x'\nexpires = %s"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("subject.toml", b"\xff\xfe", "is not UTF-8"),
        ("subject.toml", b"", "name is missing"),
        ("subject.toml", b"name = ", "Invalid value"),
        ("subject.toml", b"nam = 'x'", "did you mean 'name'?"),
        ("subject.toml", b"name = ''", "must not be empty"),
        ("subject.toml", b"name = 'x'\nnamespace = 'Foo_Bar'", "namespace='Foo_Bar'"),
        ("subject.toml", b"name = 'x'\nuid = -1", "uid=-1"),
        ("subject.toml", b"name = 'x'\nuid = 4294967295", "uid=4294967295: must be less than or equal to"),
        ("subject.toml", b"name = 'x'\nuid = " + b"9" * 400, "uid=999"),
        ("subject.toml", b'name = "a\\u001b[1m"', r"name='a\x1b[1m': must be one line of characters"),
        ("subject.toml", b'name = "a\\nb"', r"name='a\nb': must be one line of characters"),
        ("subject.toml", b'name = "\\u202ea"', r"name='\u202ea': must be one line of characters"),
        ("subject.toml", b"name = '%s'" % (b"x" * 101), "at most 100 characters"),
        ("subject.toml", b"name = 'x'\nuid = true", "uid=True"),
        ("subject.toml", b"name = 'x'\nuid = '1000'", "uid='1000'"),
        ("subject.toml", b"name = 'x'\ndirectory = '/etc'", "directory is where"),
        ("subject.toml", b"name = 'x'\nimage = 1", "must be a table"),
        ("subject.toml", b"name = 'x'\n[image]\ncontxt = 'a'", "did you mean 'context'?"),
        ("subject.toml", b"name = 'x'\n[image]\ndockerfile = 'no'", "there is no image.dockerfile='no'"),
        ("subject.toml", b"name = 'x'\n[manifests]\nbase = 'no'", "there is no manifests.base='no'"),
        ("subject.toml", b"name = 'x'\nmodes = 'api'", "must be a list"),
        ("subject.toml", b"name = 'x'\n[budgets]\nlayer_bytes = -1", "budgets.layer_bytes=-1"),
        ("waivers.toml", b"\xff", "is not UTF-8"),
        ("waivers.toml", b"[waiver]\nclaim = 'pvc-bound'", "write [[waiver]]"),
        ("waivers.toml", b"waiver = 'x'", "write [[waiver]]"),
        ("waivers.toml", b"waiver = ['x']", "write [[waiver]]"),
        ("waivers.toml", b"[[waivers]]", "unknown table 'waivers'"),
        ("waivers.toml", b"[[waiver]]\nclaim = 'pvc-bound'", "owner is missing"),
        ("waivers.toml", WAIVER % (b"netpol-*", b"2000-01-01"), "no globs"),
        ("waivers.toml", WAIVER % (b"pvc-bond", b"2000-01-01"), "pvc-bound"),
        ("waivers.toml", WAIVER % (b"[pvc-bond", b"2000-01-01"), "did you mean 'pvc-bound'?"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"2026-02-30"), "Invalid date"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"9999-12-31"), "more than 180 days ahead"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"07:32:00"), "expires: must be a date"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"inf"), "expires=inf: must be a date"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"'x'"), "expires='x'"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"1767139200"), "expires=1767139200: must be a date"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"2999-01-01\ncovers_refuted = 'yes'"), "true or false"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"2999-01-01\ncovers_refuted = 1"), "true or false"),
        ("waivers.toml", b'[[waiver]]\nclaim = "a\\nb"', r"(a\nb)"),
        ("subject.toml", FILES % b"'no.yml'", "'no.yml' names no file"),
        ("subject.toml", FILES % b"'*.yml'", "'*.yml' names no file"),
        ("subject.toml", FILES % b"''", "cannot be read"),
        ("subject.toml", FILES % b"'/etc/*'", "cannot be read"),
        ("subject.toml", b"name = 'x'\n[proof]\nprefix = 'x-'\nclaims = 'a\\nb'", "proof.claims"),
        ("planned.toml", b"planned = 5", "no list of ids"),
        ("planned.toml", b"planned = [5]", "no list of ids"),
        ("planned.toml", b"planned = ['foo']", "unknown claim 'foo' in planned.toml"),
        ("planned.toml", b'"\\u001b[1m\\n" = 1', r"unknown table '\x1b[1m\n'"),
        ("planned.toml", b"planed = []", "unknown table 'planed'"),
        ("planned.toml", b"\x80", "is not UTF-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [["e2e"], ["sabotage"]], ids=["e2e", "sabotage"])
def test_a_wrong_file_of_a_subject_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    file: str,
    content: bytes,
    says: str,
) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text(NAMED)
    (subject / file).write_bytes(content)
    code, line = told(capsys, [*words, "--subject", str(subject)])
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind = 'a b'", "kind='a b': must be a kind of object"),
        ("workload = 'A_B'", "workload='A_B': must be the name of an object"),
        (f"workload = '{'a' * 254}'", "must be the name of an object"),
        ("container = 'a.b'", "container='a.b': must be at most 63 lower-case letters"),
        ("service_account = 'a b'", "service_account='a b': must be the name of an object"),
        ("pod_selector = 'a=b=c'", "pod_selector='a=b=c': must be labels as kubectl takes them"),
        ("pod_selector = 'app=a, b c'", "must be labels as kubectl takes them"),
        ("home = 'claude'", "home='claude': must be an absolute path in the box"),
        ("workdir = ''", "workdir='': must be an absolute path"),
        ("config_dir = '~/.claude'", "config_dir='~/.claude': must be an absolute path"),
        ("modes = ['']", "modes.0='': must be a word"),
        ("modes = ['api', 'headless']\ndefault_mode = 'headles'", "did you mean 'headless'?"),
        ("[image]\nreference = 'Agent:1'", "image.reference='Agent:1': must be the name of an image"),
        ("[image]\nreference = 'a@sha256:abc'", "must be the name of an image"),
        ("[image]\nbase = '${BASE}'", "image.base='${BASE}': must be the name of an image"),
        ("[image]\nname = 'box:1'", "image.name='box:1': must be the name of an image without a tag"),
        ("[image]\ncli = 'claude'", "image.cli='claude': must be an absolute path"),
        ("[image]\nentrypoints = ['start.sh']", "there is no image.entrypoints='start.sh'"),
        ("[image]\nargs = {'A=B' = '1'}", "image.args: the key 'A=B': must be a name without spaces and ="),
        ("[image]\ncontexts = {src = 'no'}", "image.contexts.src='no' is no directory"),
        ("[image]\ncontext = 'Dockerfile'", "image.context='Dockerfile' is no directory"),
        ("[image]\ncontext = '.'\ndockerfile = '.'", "image.dockerfile='.' is no file"),
        ("[image]\ndockerfile = 'Dockerfile'\ntarget = 'on'", "no stage 'on' (there are: one, two)"),
        ("[image]\ndockerfile = 'Dockerfile'\ntarget = '2'", "the Dockerfile has no stage '2'"),
        ("[chart]\nvalues = ['a.yaml', 'no.yaml']", "there is no chart.values='no.yaml'"),
        ("[chart]\ndirectory = 'k'", "chart.directory='k' has no Chart.yaml"),
        ("[manifests]\nkustomize = 'k'", "manifests.kustomize='k' has no kustomization.yaml"),
        ("[manifests]\nkustomize = 'a.yaml'", "manifests.kustomize='a.yaml' is no directory"),
        ("kind = 'Deploiment'\n[manifests]\nfiles = ['a.yaml']", "no Deploiment (there are: Deployment a)"),
        ("workload = 'b'\n[manifests]\nfiles = ['a.yaml']", "the manifests hold no workload 'b'"),
        ("container = 'agnt'\n[manifests]\nfiles = ['a.yaml']", "(did you mean 'agent'?)"),
        ("[compose]\nfile = 'c.yaml'", "compose.file='c.yaml' is named without compose.service (allowed: a)"),
        ("[compose]\nfile = 'c.yaml'\nservice = 'b'", "compose.file='c.yaml' has no service 'b'"),
        ("[compose]\nfile = 'Dockerfile'\nservice = 'a'", "it has no services that can be read"),
        ("[compose]\nservice = 'a'", "compose.service='a' without compose.file"),
        ("[start]\nsettled = ' '", "start.settled=' ': must be ready, running, or a text of the log"),
        ("[start]\nenv = {'' = 'x'}", "start.env: the key '': must be the name of a variable"),
        ("[start]\ntoken_env = 'A=B'", "start.token_env='A=B': must be the name of a variable"),
        ("[start]\nsecrets = {Foo_Bar = {a = 'x'}}", "start.secrets: the key 'Foo_Bar': must be the name"),
        ("[start]\nsecrets = {a = {'b c' = 'x'}}", "start.secrets.a: the key 'b c': must be letters"),
        ("[commands]\nup = ['']", "commands.up: must be a list of words, a program the first"),
        ("[commands]\nup = ['make', \"\\u0000\"]", "commands.up: must be a list of words"),
        ("[commands]\nrecovery = [[]]", "commands.recovery.0: must not be empty"),
        ("[commands]\nup = ['make', 'C={clustre}']", "nothing is filled in for {clustre}"),
        ("[commands]\nup = ['make', '{}']", "commands.up='{}': nothing is filled in for {} (allowed:"),
        ("[commands]\nload = ['a', '{name}']", "{name} (allowed: {cluster}, {image}"),
        ("[commands]\ndeploy = ['a', 'x={']", "commands.deploy='x={': it has a brace alone (allowed:"),
        ("[commands]\ndeploy = ['a', '{suffix.x}']", "nothing is filled in for {suffix.x}"),
        ("[commands]\ntest = ['a', '{image}']", "{image} (allowed: no places; a brace that is"),
        ("[commands]\nrecovery = [['a'], ['{pod}']]", "commands.recovery.1='{pod}': nothing is filled in"),
        ("[sandbox]\ncommand = ['{python3}']", "sandbox.command='{python3}': nothing is filled in for"),
        ("[chart]\nimage = ['--set=i={image}']", "chart.image='--set=i={image}': nothing is filled in for"),
        ("[chart]\ncomponents = {a = ['{file}']}", "chart.components.a='{file}': nothing is filled in for"),
        ("[image]\ndockerfile = 'c.yaml'", "image.dockerfile='c.yaml' has no FROM (a Dockerfile begins"),
        ("[sandbox]\ncommand = [' ']", "sandbox.command: must be a list of words"),
        ("[sandbox]\nstate = '../x'", "sandbox.state='../x': must be a path below the home"),
        ("[mcp]\nconfig = 'mcp.json'", "mcp.config='mcp.json': must be an absolute path"),
        ("[tiers]\nraw = ['neraw']\n[manifests]\nbase = 'm'\ncomponents = 'p'", "did you mean 'netraw'?"),
        ("[storage]\ncomponent = 'x'\n[chart]\ndirectory = 'h'", "there is no component 'x'"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str
) -> None:
    files = {
        "Dockerfile": "FROM debian:12 AS one\nFROM one AS two\n",
        "a.yaml": "kind: Deployment\nmetadata: {name: a}\n"
        "spec: {template: {spec: {containers: [{name: agent, image: x}]}}}\n",
        "c.yaml": "services: {a: {image: x}}\n",
        "k/a.txt": "",
        "m/a.yaml": "kind: Pod\nmetadata: {name: a}\n",
        "p/netraw/a.yaml": "",
        "h/Chart.yaml": "name: a\n",
    }
    subject = box(tmp_path / "subject", {**files, "subject.toml": f"{NAMED}{text}\n"})
    code, line = told(capsys, ["e2e", "--stage", "static", "--subject", str(subject)])
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("suppressions.toml", "[suppression]\nvulnerability = 'CVE-1'", "write [[suppression]]"),
        ("suppressions.toml", "[[suppressions]]", "unknown table 'suppressions'"),
        ("suppressions.toml", "[[suppression]]\nvulnerability = 'CVE-1'", "suppression 1 (CVE-1): reason is"),
        ("suppressions.toml", a_directory, "suppressions.toml"),
        *(
            (
                "suppressions.toml",
                "[[suppression]]\nvulnerability = 'CVE-1'\nowner = 'a'\n"
                f"reason = {reason!r}\nexpires = {expires}",
                says,
            )
            for reason, expires, says in (
                ("short", "2026-01-01", "reason='short': must have at least 10 characters"),
                ("a reason of its own", "1767139200", "expires=1767139200: must be a date"),
                ("a reason of its own", "9999-01-01", "at most 180 days from now"),
            )
        ),
        ("packages.lock", "debian-12 jq 1.6\n<<<<<<< HEAD\n", "line 2: '<<<<<<< HEAD' is no SYSTEM"),
        ("packages.lock", "debian-12 jq 1.6 amd64\n", "line 1: 'debian-12 jq 1.6 amd64' is no SYSTEM"),
        ("packages.lock", "debian-12 jq 1.6\n\ndebian-12 jq 1.7\n", "line 3: jq of debian-12 stands"),
        ("packages.lock", b"\xff", "packages.lock is not UTF-8"),
    ],
)  # fmt: skip
def test_a_list_beside_the_box_is_read_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, content: Content, says: str
) -> None:
    about = f"{NAMED}[image]\ncontext = '.'\ndockerfile = 'Dockerfile'\n"
    subject = box(tmp_path / "subject", {**BOX, "subject.toml": about, file: content})
    code, line = told(capsys, ["e2e", "--stage", "static", "--subject", str(subject)])
    assert (code, says in line) == (2, True), line


def test_what_subject_toml_takes_is_taken(tmp_path: Path) -> None:
    subject = model.load(
        box(
            tmp_path,
            {
                "subject.toml": f"""{NAMED}
workload = "agent.v1"
pod_selector = "app.kubernetes.io/name=a, tier in (x, y),!old"
home = "C:\\\\Users\\\\agent"
[image]
name = "localhost:5000/team/box"
reference = "HOST.example:5000/a/b_c:1.2@sha256:{"a" * 64}"
[start]
settled = "is ready\\nnow"
env = {{"a.b-c d" = ""}}
"""
            },
        )
    )
    assert (subject.workload, subject.start.settled) == ("agent.v1", "is ready\nnow")


CONTENTS = (
    bytes(range(256)), b"\x7fELF\x02\x01\x01\0", b"a = '\0'", b"a = " + b"[" * 5000 + b"]" * 5000,
    b"a = " + b"9" * 5000, b"a = 1\na = 2", b"a = 1979-13-45", b"\xef\xbb\xbf[", b"\r", b"= 1", b"[[]]",
)  # fmt: skip
JSON = (b"", b'{"schema": 1, ', b"<<<<<<< HEAD\n{}", b"\xff", b"[1]", b"[" * 100_000, b'{"schema": 9}')
IN_ITS_PLACE: tuple[Callable[[Path], object], ...] = (
    a_directory, a_loop, a_dangling_link, a_pipe, a_device, a_huge_file,
    *(lambda path, content=content: path.write_bytes(content) for content in CONTENTS),
)  # fmt: skip


@pytest.mark.parametrize("file", ["subject.toml", "waivers.toml", "planned.toml"])
@pytest.mark.parametrize("put", IN_ITS_PLACE)
def test_what_is_no_file_of_toml_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, put: Callable[[Path], object]
) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text(NAMED)
    (subject / file).unlink(missing_ok=True)
    put(subject / file)
    code, line = told(capsys, ["e2e", "--subject", str(subject)])
    assert (code, file in line) == (2, True), line


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_bytes(b"\xef\xbb\xbf" + NAMED.encode())
    assert model.load(tmp_path).name == "x"


def keys() -> Iterator[str]:
    """Yield every key of subject.toml, those of its tables as "table.key"."""
    for name, field in model.Subject.model_fields.items():
        if isinstance(field.default, model.Part):
            yield from (f"{name}.{each}" for each in type(field.default).model_fields)
        elif name != "directory":
            yield name


@pytest.mark.parametrize("value", ["1979-05-27T07:32:00Z", "[[nan]]"])
@pytest.mark.parametrize("key", list(keys()))
def test_a_value_of_a_wrong_type_is_told_with_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, value: str
) -> None:
    (tmp_path / "subject.toml").write_text(f"{NAMED if key != 'name' else ''}{key} = {value}\n")
    code, line = told(capsys, ["e2e", "--subject", str(tmp_path)])
    assert (code, key.rsplit(".", maxsplit=1)[-1] in line) == (2, True), line


@pytest.mark.parametrize("name", ["a\\u0000b", "x" * 5000, "\\uFFFE", "..", "/"])
@pytest.mark.parametrize(
    "key", ["image.dockerfile", "image.context", "manifests.base", "chart.directory", "facts"]
)
def test_a_path_that_no_file_can_have_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, name: str
) -> None:
    (tmp_path / "subject.toml").write_text(f'{NAMED}{key} = "{name}/no"\n')
    code, line = told(capsys, ["e2e", "--subject", str(tmp_path)])
    assert (code, f"no {key}=" in line) == (2, True), line


@pytest.mark.parametrize("value", ["5", "true", "[]", "''", "1979-05-27", "{a = 1}", "'\\u0000'"])
@pytest.mark.parametrize("key", ["claim", "reason", "owner", "expires", "expects", "refuted", "no_such"])
def test_a_wrong_value_of_a_waiver_is_told_with_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, value: str
) -> None:
    (tmp_path / "subject.toml").write_text(NAMED)
    rows = {"claim": "'pvc-bond'", "reason": "'x'", "owner": "'x'", "expires": "2999-01-01"} | {key: value}
    written = "".join(f"{name} = {each}\n" for name, each in rows.items())
    (tmp_path / "waivers.toml").write_text(f"[[waiver]]\n{written}")
    assert told(capsys, ["e2e", "--subject", str(tmp_path)])[0] == 2


@pytest.mark.parametrize("put", IN_ITS_PLACE)
def test_lists_that_are_no_toml_are_told(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "list.toml")
    with pytest.raises(UsageError, match=r"list\.toml"):
        cells.catalogue(tmp_path / "list.toml")
    with pytest.raises(SubjectFault, match=r"list\.toml"):
        tools.load(tmp_path / "list.toml")
    with pytest.raises(UsageError, match=r"list\.toml"):
        scan.suppressions(tmp_path / "list.toml")


@pytest.mark.parametrize(
    "put",
    [
        a_directory, a_loop, a_dangling_link, a_pipe, a_device,
        *(lambda path, content=content: path.write_bytes(content) for content in JSON),
    ],
)  # fmt: skip
def test_a_lock_of_what_was_seen_red_that_cannot_be_read_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    put: Callable[[Path], object],
) -> None:
    put(tmp_path / "seen_red.json")
    monkeypatch.setattr(own_project, "OURS", replace(own_project.OURS, sabotage_dir=tmp_path))
    code, line = told(capsys, ["e2e", "--stage", "static"])
    assert (code, "seen_red.json" in line, "http" in line) == (2, True, False), line


@pytest.mark.parametrize("value", ["5", "'x'", "[5]", "['x']", "{a = 1}", "[{name = 5}]", "[[]]", "nan"])
def test_a_list_of_another_type_is_told(tmp_path: Path, value: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(f"tool = {value}\nsuppression = {value}\nkind = {value}\n")
    with pytest.raises(UsageError, match=r"list\.toml"):
        cells.catalogue(path)
    with pytest.raises(SubjectFault, match=r"list\.toml"):
        tools.load(path)
    with pytest.raises(UsageError, match=r"list\.toml"):
        scan.suppressions(path)


OWN = {  # of a box with a claim of its own
    "subject.toml": "name = 'x'\n[proof]\nprefix = 'x-'\n",
    "proof/claims/a.toml": "area = 'XX'\ntitle = 't'\n[[claim]]\nid = 'x-a'\nsays = 's'\n",
    "proof/suites/test_a.py": "",
}
OTHER = "area = 'PVC'\ntitle = 'another'\n[[claim]]\nid = 'x-b'\nsays = 's'\n"
HEAD = "area = 'XX'\ntitle = 't'\n"
MANIFEST = {"subject.toml": "name = 'x'\n[manifests]\nfiles = ['m.yml']\n"}
BASE = {
    "subject.toml": "name = 'x'\n[manifests]\nbase = 'base'\n",
    "base/a.yaml": "kind: Pod\nmetadata: {name: a}\n",
}
BUILT = {"subject.toml": "name = 'x'\n[manifests]\nkustomize = 'k'\n"}
CHART = {"subject.toml": "name = 'x'\n[chart]\ndirectory = 'c'\n", "c/templates/a.yaml": "kind: Pod\n"}
SABOTAGE = "proof/sabotage/b.py"
LAUGHS = "\n".join(  # ten to the tenth, in some hundred characters
    ["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11))]
)


@pytest.mark.parametrize(
    ("files", "file", "content", "says"),
    [
        (OWN, "subject.toml", f"{OWN['subject.toml']}zzz = 1", "unknown 'proof.zzz': allowed: claims"),
        (OWN, SABOTAGE, "import sys\nsys.exit(0)", "b.py cannot be imported: SystemExit: 0"),
        (OWN, SABOTAGE, "1 / 0", "b.py cannot be imported: ZeroDivisionError"),
        (OWN, SABOTAGE, "def", "b.py cannot be imported: SyntaxError"),
        (OWN, SABOTAGE, "import no_such_module", "b.py cannot be imported: ModuleNotFoundError"),
        (OWN, "proof/sabotage/a.b.py", "", "a.b.py cannot be imported"),
        (OWN, "proof/sabotage/c.py", a_directory, "c.py cannot be imported"),
        (OWN, "proof/claims/b.toml", OTHER, "'PVC' has the title 'another'"),
        (OWN, "proof/claims/b.toml", "claim = 5", "b.toml: "),
        (OWN, "proof/claims/b.toml", f"{HEAD}[[claim]]\nid = 'x-b'\nsays = ''", "says='': must not be empty"),
        *(
            (OWN, "proof/claims/b.toml", f"{HEAD}[[claim]]\nid = {name!r}\nsays = 's'", "lower-case letters")
            for name in ("", "a b", "x-../../c", "x-a,b", "x-*", "x-A", "x-a\n")
        ),
        (MANIFEST, "m.yml", "a: [", "m.yml is no YAML"),
        (MANIFEST, "m.yml", b"\xff", "m.yml is no YAML"),
        (MANIFEST, "m.yml", "a:\n\t- b", "m.yml is no YAML"),
        (MANIFEST, "m.yml", "kind: Pod\nmetadata: {name: a}\nkind: Job", "'kind' stands there twice (line 3"),
        (MANIFEST, "m.yml", "kind: Pod\nmetadata: {name: a, name: b}", "the key 'name' stands there twice"),
        (MANIFEST, "m.yml", "a: &a [*a]", "it contains itself (line 1, column 4)"),
        (MANIFEST, "m.yml", "a: &a {b: *a}", "it contains itself"),
        (MANIFEST, "m.yml", LAUGHS, "its anchors repeat more than 1000000 values"),
        (MANIFEST, "m.yml", "a: *b", "m.yml is no YAML"),
        (MANIFEST, "m.yml", "a: !!python/object:os.system b", "m.yml is no YAML"),
        (BASE, "base/b.yaml", "a: 1\na: 2", "the key 'a' stands there twice"),
        (MANIFEST, "m.yml", a_pipe, "names no file"),
        (MANIFEST, "m.yml", "kind: [a]", "cannot be read"),
        (MANIFEST, "m.yml", "kind: List\nitems: [1]", "cannot be read"),
        (MANIFEST, "m.yml", "kind: Pod\nmetadata: x\nspec: y", "m.yml has a Pod without a name"),
        (BASE, "base/b.yaml", a_pipe, "b.yaml is no plain file"),
        (BASE, "base/b.yaml", a_dangling_link, "b.yaml is no plain file"),
        (BASE, "base/b.yaml", a_directory, "b.yaml is no plain file"),
        (CHART, "c/templates/b.yaml", a_pipe, "b.yaml is no plain file"),
        (BUILT, "k/kustomization.yaml", "[a]", "cannot be read"),
        (BUILT, "k/kustomization.yaml", "a: [", "cannot be read"),
        (BUILT, "k/kustomization.yaml", b"\xff", "cannot be read"),
        (BUILT, "k/kustomization.yaml", "resources: 5", "cannot be read"),
    ],
)
@pytest.mark.parametrize("words", [["e2e", "--stage", "static"], ["sabotage"]], ids=["e2e", "sabotage"])
def test_a_wrong_file_that_a_subject_names_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    files: Mapping[str, Content],
    file: str,
    content: Content,
    says: str,
) -> None:
    subject = box(tmp_path / "subject", {**files, file: content})
    code, line = told(capsys, [*words, "--subject", str(subject)])
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize("files", [BASE, CHART], ids=["base", "chart"])
def test_the_lock_of_an_editor_is_no_file_of_the_box(tmp_path: Path, files: Mapping[str, Content]) -> None:
    (beside,) = (Path(name) for name in files if name.endswith("a.yaml"))
    subject = model.load(box(tmp_path, {**files, str(beside.with_name(".#a.yaml")): a_dangling_link}))
    assert sources.kinds(subject) == {"Pod"}


BOX = {"Dockerfile": "FROM alpine:3.20\nUSER 1000\n"}


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("a\udcff/Dockerfile", "FROM alpine:3.20\nUSER 1000\n", "UTF-8"),
        ("a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: x", "cannot be read"),
        ("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: x}", "cannot be read"),
        ("subject.toml", a_directory, "subject.toml is no file"),
        ("subject.toml", a_loop, "subject.toml is no file"),
        ("subject.toml", a_pipe, "subject.toml is no file"),
    ],
)
def test_a_box_that_no_file_can_be_written_for_keeps_the_one_it_has(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, content: Content, says: str
) -> None:
    home = box(tmp_path / "box", {"subject.toml": NAMED, **BOX} if file != "subject.toml" else BOX)
    box(home, {file: content})
    before = sorted(home.iterdir())
    code, line = told(capsys, ["init", "--force", str(home)])
    assert (code, says in line) == (2, True), line
    assert sorted(home.iterdir()) == before
    assert file == "subject.toml" or (home / "subject.toml").read_text() == NAMED


@pytest.mark.parametrize("put", [a_pipe, a_loop, a_dangling_link, a_device, a_huge_file])
@pytest.mark.parametrize("file", ["b.yaml", "b/Dockerfile", ".#a.yaml"])
def test_what_is_no_file_that_people_write_says_nothing_of_a_box(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, put: Callable[[Path], None]
) -> None:
    home = box(tmp_path / "a box", {**BOX, file: put})
    assert main(["init", str(home)]) == 0
    assert f"--subject '{home}' --stage" in capsys.readouterr().err
    assert model.load(home).image.dockerfile == "Dockerfile"


def test_what_subject_toml_does_not_take_is_left_to_a_person(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = "FROM alpine:3.20\nENV HOME=work\nWORKDIR /srv\nWORKDIR app\nUSER 1000\n"
    home = box(tmp_path / "box", {"Dockerfile": recipe})
    assert main(["init", str(home)]) == 0
    assert "home='work': must be an absolute path" in capsys.readouterr().err
    assert model.load(home).workdir == "/srv/app"
    assert "# - Dockerfile" in (home / "subject.toml").read_text()


def test_a_full_disk_is_no_wrong_usage_and_leaves_the_file_there_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    home = box(tmp_path / "box", {"subject.toml": NAMED, **BOX})
    monkeypatch.setattr(Path, "write_bytes", full)
    code, line = told(capsys, ["init", "--force", str(home)])
    assert (code, "make room" in line) == (3, True), line
    assert (home / "subject.toml").read_text() == NAMED
