"""The rules of proof, each on a suite of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from pytest_claims.recording import records

pytestmark = pytest.mark.integration

Suite = Callable[..., Any]
PROVEN = """
BOUND = require("it is bound", lambda phase: phase == "Bound")
@claim("pvc-bound")
def test_it():
    with control("an unbound one says Pending"):
        BOUND.fails(observe("phase", "other", "Pending"))
    BOUND(observe("phase", "own", "Bound"))
"""
OBSERVED = ("-o", "claims_observed_areas=PVC")  # the rule of areas that have not moved to requirements


def test_a_check_with_a_control_of_its_kind_is_proven(suite: Suite) -> None:
    ran = suite(PROVEN)
    assert (ran.only.verdict, ran.only.controls, ran.only.reason, ran.code) == ("proven", 1, "", 0)
    assert [each.in_control for each in ran.only.observations] == [True, False]
    assert ran.only.claims == ("pvc-bound",)


def test_a_proven_check_says_what_it_has_noted(suite: Suite) -> None:
    ran = suite(f"from pytest_claims import note\n{PROVEN}    note('1 moved'); note(''); note('so')\n")
    assert (ran.only.verdict, ran.only.reason) == ("proven", "1 moved; so")


@pytest.mark.parametrize(
    "body",
    [
        "assert observe('phase', 'own', 'Bound')",
        "with control('empty'): pass\n    assert observe('phase', 'own', 'Bound')",
        "with control('another kind'): observe('dns', 'x', 'y')\n    observe('phase', 'own', 'Bound')",
        "with control('the same answer'): observe('phase', 'x', 'b')\n    observe('phase', 'own', 'b')",
        "with control('nothing outside'):\n        observe('phase', 'x', 'a'); observe('phase', 'y', 'b')",
        "with control('only a time differs'): observe('stop', 'x', {'code': 0, 'seconds': 1})\n"
        "    observe('stop', 'own', {'code': 0, 'seconds': 2})",
    ],
)
def test_without_a_control_that_counts_it_is_unproven(suite: Suite, body: str) -> None:
    ran = suite(f"@claim('pvc-bound')\ndef test_it():\n    {body}\n", *OBSERVED)
    assert (ran.only.verdict, ran.only.controls) == ("unproven", 0)
    assert "control" in ran.only.reason
    assert ran.code != 0


def test_observations_of_a_fixture_do_not_count(suite: Suite) -> None:
    ran = suite("""
@pytest.fixture
def asked():
    observe("phase", "own", "Bound")
@claim("pvc-bound")
def test_it(asked):
    with control("one inside"):
        observe("phase", "other", "Pending")
""", *OBSERVED)  # fmt: skip
    assert ran.only.verdict == "unproven"


@pytest.mark.parametrize("raised", ["assert False", "raise SubjectFault('x')", "pytest.fail('x')", "1 / 0"])
def test_a_failed_control_blocks(suite: Suite, raised: str) -> None:
    body = f"with control('shows it'):\n        {raised}"
    ran = suite(f"@claim('pvc-bound')\ndef test_it():\n    {body}\n")
    assert ran.only.verdict == "blocked"
    assert ran.only.reason.startswith("control failed: shows it")
    assert ran.only.failed_controls == ("shows it",)


def test_a_failed_control_that_is_swallowed_still_blocks(suite: Suite) -> None:
    ran = suite(
        PROVEN
        + """
    try:
        with control("another"):
            assert False
    except Exception:
        pass
"""
    )
    assert ran.only.verdict == "blocked"


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("assert 1 == 2, 'wrong'", "refuted", "wrong"),
        ("raise SubjectFault('ErrImagePull of the box')", "refuted", "ErrImagePull of the box"),
        ("raise EnvironmentFault('API server is gone')", "blocked", "API server is gone"),
        ("raise OSError('no route')", "blocked", "OSError: no route"),
        ("pytest.skip('not here')", "unproven", "skipped: not here"),
        ("__import__('unittest').TestCase().assertEqual(1, 2)", "blocked", "assertion in a library"),
    ],
)
def test_the_type_of_a_failure_decides(suite: Suite, body: str, verdict: str, reason: str) -> None:
    ran = suite(f"@claim('pvc-bound')\ndef test_it():\n    {body}\n")
    assert ran.only.verdict == verdict
    assert reason in ran.only.reason
    assert ran.code != 0


def test_the_type_decides_in_a_fixture_too(suite: Suite) -> None:
    ran = suite("""
@pytest.fixture
def box():
    raise SubjectFault("CrashLoopBackOff")
@claim("pvc-bound")
def test_it(box): ...
""")
    assert (ran.only.verdict, ran.only.reason) == ("refuted", "CrashLoopBackOff")


def test_an_assertion_in_a_dead_environment_blocks(suite: Suite) -> None:
    dead = "def pytest_claims_alive():\n    return 'API server does not answer'\n"
    ran = suite("@claim('pvc-bound')\ndef test_it():\n    assert False\n", conftest=dead)
    assert ran.only.verdict == "blocked"
    assert "API server does not answer" in ran.only.reason


@pytest.mark.parametrize("body", ["raise EnvironmentFault('no answer')", "raise OSError('no route')"])
def test_what_blocks_in_a_dead_environment_says_so(suite: Suite, body: str) -> None:
    dead = "def pytest_claims_alive():\n    return 'API server does not answer'\n"
    ran = suite(f"@claim('pvc-bound')\ndef test_it():\n    {body}\n", conftest=dead)
    assert ran.only.verdict == "blocked"
    assert ran.only.reason.startswith("environment dead: API server does not answer; seen before: ")


def test_a_broken_liveness_probe_is_no_sign_of_life(suite: Suite) -> None:
    broken = "def pytest_claims_alive():\n    return 1 / 0\n"
    ran = suite("@claim('pvc-bound')\ndef test_it():\n    assert False\n", conftest=broken)
    assert ran.only.verdict == "blocked"


def test_a_failing_clean_up_blocks_what_was_proven(suite: Suite) -> None:
    ran = suite("""
@pytest.fixture
def box():
    yield
    assert False, "cannot delete"
@claim("pvc-bound")
def test_it(box):
    with control("other"):
        observe("phase", "other", "Pending")
    observe("phase", "own", "Bound")
""")
    assert ran.only.verdict == "blocked"
    assert "cannot delete" in ran.only.reason


@pytest.mark.parametrize("mark", ["skip(reason='later')", "xfail(reason='known')", "xfail(run=False)"])
def test_skips_and_expected_failures_are_unproven(suite: Suite, mark: str) -> None:
    ran = suite(PROVEN.replace("@claim", f"@pytest.mark.{mark}\n@claim"))
    assert ran.only.verdict == "unproven"
    assert ran.code != 0


def test_a_dead_worker_leaves_what_did_not_report(suite: Suite) -> None:
    ran = suite(PROVEN + "\n@claim('pvc-bound')\ndef test_dies():\n    os._exit(1)\n", "-n", "1", apart=True)
    assert ran.records["test_it"].verdict == "proven"
    assert ran.records["test_dies"].state == "started"
    assert {each.rpartition("::")[2] for each in records.collected(ran.run)} == {"test_it", "test_dies"}


def test_an_unknown_claim_is_wrong_usage_with_the_nearest(suite: Suite) -> None:
    ran = suite("@claim('pvc-bond')\ndef test_it(): ...\n")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'pvc-bound'?" in ran.output
    assert records.usage(ran.run) is not None


def test_an_unknown_claim_is_told_from_a_worker_too(suite: Suite) -> None:
    ran = suite("@claim('pvc-bond')\ndef test_it(): ...\n", "-n", "1", apart=True)
    assert ran.code != 0
    assert "pvc-bond" in (records.usage(ran.run) or ("", ""))[0]


def test_a_check_without_a_claim_is_wrong_usage(suite: Suite) -> None:
    ran = suite("def test_it(): ...\n")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "proves no claim" in ran.output


def test_claims_select_checks(suite: Suite) -> None:
    ran = suite(PROVEN + "\n@claim('image-user-nonroot')\ndef test_user(): ...\n", "--claims", "pvc-*,base-*")
    assert set(ran.records) == {"test_it"}
    assert list(records.collected(ran.run).values()) == [["pvc-bound"]]


def test_a_pattern_without_a_match_is_wrong_usage(suite: Suite) -> None:
    ran = suite(PROVEN, "--claims", "netpool-*")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'netpol-*'?" in ran.output


def test_an_empty_selection_fails(suite: Suite) -> None:
    assert suite(PROVEN, "--claims", "netpol-*").code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert suite(PROVEN, "--claims", "").code == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_a_broken_suite_is_remembered_and_the_others_run(
    suite: Suite, pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_broken="import nothing_of_the_kind")
    ran = suite(PROVEN, *options, apart=bool(options))
    assert ran.code != 0
    assert "nothing_of_the_kind" in records.faults(ran.run)[0]
    assert ran.only.verdict == "proven"


def test_evidence_is_kept_and_redacted(suite: Suite) -> None:
    secret = "def pytest_claims_redact():\n    return ['hunter2-token']\n"
    ran = suite("""
@claim("pvc-bound")
def test_it(evidence):
    evidence("logs", "token is hunter2-token")
    evidence("logs", {"again": "hunter2-token"})
    observe("env", "TOKEN", "hunter2-token")
    assert False, "hunter2-token was seen"
""", conftest=secret)  # fmt: skip
    texts = [(ran.run / each).read_text() for each in ran.only.evidence]
    assert len(texts) == 4
    assert all("hunter2" not in each for each in [*texts, ran.only.model_dump_json()])
    assert sum("[redacted]" in each for each in texts) == 4


def test_a_failing_collector_hides_nothing(suite: Suite) -> None:
    code = "@claim('pvc-bound')\ndef test_it():\n    assert False, 'the reason'\n"
    ran = suite(
        code,
        conftest="""
class Works:
    def pytest_claims_collect_evidence(self, evidence):
        evidence("more", "text")
def pytest_configure(config):
    config.pluginmanager.register(Works())
def pytest_claims_collect_evidence(evidence):
    raise OSError("no logs")
""",
    )
    assert (ran.only.verdict, "the reason" in ran.only.reason) == ("refuted", True)
    assert any("more" in each for each in ran.only.evidence)


def test_without_a_session_there_is_no_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest_inprocess(
        "-p",
        "pytest_claims.plugin",
        "-p",
        "boxproof.fixtures.run_hooks",
        "-o",
        f"claims_dir={OURS.claims_dir}",
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "nox -s e2e" in result.stderr.str()


def test_verdicts_are_shown_instead_of_passes(suite: Suite) -> None:
    ran = suite("@claim('pvc-bound')\ndef test_it(): ...\n", "-v")
    assert "UNPROVEN" in ran.output
    assert "1 unproven" in ran.output
    assert "passed" not in ran.output


@pytest.mark.parametrize(
    ("option", "says"),
    [
        *((f"{name}=no", f"{name} = no: no such directory") for name in ("sabotage_dir", "waivers_dir")),
        ("durations_dir=test_suite.py", "durations_dir = test_suite.py: no such directory"),
        ("reports_dir=", "reports_dir = : no directory"),
        ("reports_dir=test_suite.py", "reports_dir = test_suite.py: no directory"),
        ("run_name=../x", "run_name = ../x: allowed are at most 100 letters"),
        ("run_name=.", "run_name = .: allowed are"),
        ("claims_seen_red=often", "claims_seen_red = often: allowed are required and reported"),
        ("claims_observed_areas=PCV", "claims_observed_areas: no area 'PCV' (did you mean 'PVC'?)"),
    ],
)
def test_an_ini_option_that_cannot_be_meant_is_told(suite: Suite, option: str, says: str) -> None:
    ran = suite("", "-o", option)
    assert (ran.code, says in ran.output) == (pytest.ExitCode.USAGE_ERROR, True), ran.output
    assert "Traceback" not in ran.output and "INTERNALERROR" not in ran.output


@pytest.mark.parametrize(
    "name", ["claims_dir", "sabotage_dir", "waivers_dir", "durations_dir", "reports_dir", "run_name"]
)
@pytest.mark.parametrize("value", ['["a"]', "[]", "5", "true", "1979-05-27"])
def test_an_ini_option_of_another_type_is_told(
    pytester: pytest.Pytester, recwarn: pytest.WarningsRecorder, name: str, value: str
) -> None:
    rows = {"claims_dir": "'claims'"} | {name: value}
    pytester.mkdir("claims")
    pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\n" + "".join(f"{key} = {each}\n" for key, each in rows.items())
    )
    ran = pytester.runpytest_inprocess("-p", "pytest_claims.plugin", "-p", "no:allure_pytest")
    said = "\n".join([*ran.outlines, *ran.errlines])
    assert "INTERNALERROR" not in said and "Traceback" not in said
    assert [str(each.message) for each in recwarn] == []
    # what is no list pytest takes as text, which may be a name
    allowed = {pytest.ExitCode.USAGE_ERROR} | (
        set() if value[0] == "[" else {pytest.ExitCode.NO_TESTS_COLLECTED}
    )
    assert ran.ret in allowed, said
