"""Settings: options beat variables beat defaults; unknown names say the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cli.main import main
from boxproof.cli.options import asked
from boxproof.core.session import Session
from boxproof.core.settings import PREFIX, UNSET, Settings, kubeconfig_files
from pytest_claims.faults import UsageError


def test_an_option_beats_a_variable_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_KIND", "0.30.0")
    monkeypatch.setenv("BOXPROOF_WORKERS", "2")

    chosen = Settings.load({"kind": "0.27.0"})

    assert (chosen.kind, chosen.workers, chosen.kubernetes) == ("0.27.0", 2, "1.34.2")


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_CLAIM", "x")

    with pytest.raises(UsageError, match=r"unknown setting BOXPROOF_CLAIM.*BOXPROOF_CLAIMS"):
        Settings.load()


def test_a_misspelt_option_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown argument '--kubernets'.*--kubernetes"):
        asked(["--kubernets", "1"], "e2e", "")


@pytest.mark.parametrize("value", ["0", "many", "-1"])
def test_a_bad_number_of_workers_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--workers"):
        Settings.load({"workers": value})


@pytest.mark.parametrize(
    "value",
    [
        "yesterday", "2026-01-31", "20260131", "ftp://x/debian", "http://a b", "https://[", "https://",
        "20269999T999999Z", "٢0260131T120000Z",
    ],
)  # fmt: skip
def test_a_snapshot_is_a_moment_or_a_url(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_SNAPSHOT", value)
    with pytest.raises(UsageError, match=r"BOXPROOF_SNAPSHOT=.*allowed: a moment, 20260131T120000Z, or"):
        Settings.load()


@pytest.mark.parametrize(
    "value",
    ["", "20260131T120000Z", "https://x.example:8/debian/1", "http://[::1]:8/d", "file:///tmp"],
)
def test_snapshots_of_either_form_are_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_SNAPSHOT", value)
    assert Settings.load().snapshot == value


def test_claims_are_repeatable_and_comma_separated() -> None:
    chosen, _ = asked(["--claims", "a,b", "--claims", "c-*"], "e2e", "")

    assert chosen.claims == ("a", "b", "c-*")


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["e2"]) == 2
    assert "did you mean 'e2e'?" in capsys.readouterr().err


def test_with_a_context_the_registry_is_where_images_go() -> None:
    chosen, _ = asked(["--context", "prod", "--registry", "localhost:5001/boxes"], "e2e", "")

    assert (chosen.context, chosen.publish, chosen.registry) == ("prod", "localhost:5001/boxes", "")


def test_without_one_it_is_where_node_images_come_from() -> None:
    chosen, _ = asked(["--registry", "localhost:5001"], "e2e", "")

    assert (chosen.context, chosen.publish, chosen.registry) == ("", "", "localhost:5001")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--context", "prod"], r"--context=prod needs --registry HOST.*name a registry"),
        (["--context", "prod", "--registry", "HOST/X"], r"--registry='HOST/X'.*allowed: HOST"),
        (
            ["--context", "a", "--registry", "r", "--kind", "0.30.0"],
            r"--kind=0.30.0 does not go with --context=a",
        ),
        (["--context", "a", "--registry", "r", "--containerd", "2.1"], "--containerd=2.1 does not go with"),
        (["--context", "a", "--registry", "r", "--kubernetes", "1.34"], "--kubernetes=1.34 does not go with"),
        (["--context", "a", "--registry", "r", "--cluster", "mine"], r"--cluster=mine.*leave it out"),
        (["--kubeconfig", __file__], r"--kubeconfig=.* without a context .*--context NAME"),
        (["--kubeconfig", "/nowhere", "--context", "a"], r"--kubeconfig='/nowhere'.*give a kubeconfig"),
    ],
)
def test_what_does_not_go_with_a_context_is_named(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        asked(words, "e2e", "")


def test_a_variable_that_does_not_go_with_a_context_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_KUBERNETES", "1.33.0")

    with pytest.raises(UsageError, match=r"BOXPROOF_KUBERNETES=1.33.0 does not go with --context=prod"):
        asked(["--context", "prod", "--registry", "r"], "e2e", "")


@pytest.mark.parametrize("command", ["sabotage", "matrix", "bench"])
def test_other_commands_make_clusters_of_their_own(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown argument '--context'"):
        asked(["--context", "prod"], command, "")
    monkeypatch.setenv("BOXPROOF_CONTEXT", "prod")
    with pytest.raises(UsageError, match=r"not for the context 'prod'.*BOXPROOF_CONTEXT"):
        asked(["--registry", "r"], command, "")


def test_inside_a_session_the_cluster_is_the_sessions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = Session(run="a", directory="b", subject="c", cache="d", state="e")
    monkeypatch.setenv("BOXPROOF_SESSION", str(session.save(tmp_path / "session.json")))
    monkeypatch.setenv("BOXPROOF_CONTEXT", "prod")
    monkeypatch.setenv("BOXPROOF_CLUSTER", "at-there")

    assert Settings.load().context == ""


def test_the_kubeconfigs_are_those_kubectl_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/one:/two")
    assert [str(each) for each in kubeconfig_files()] == ["/one", "/two"]
    assert [str(each) for each in kubeconfig_files("/given")] == ["/given"]
    monkeypatch.delenv("KUBECONFIG")
    assert [str(each)[-13:] for each in kubeconfig_files()] == ["/.kube/config"]


def test_help_teaches_the_existing_cluster(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # a name is not broken at its hyphen
    with pytest.raises(SystemExit):
        asked(["--help"], "e2e", "about")

    said = " ".join(capsys.readouterr().out.split())
    assert "nox -s e2e -- --context NAME --registry HOST" in said
    assert "docs/existing-cluster.md" in said.replace("- ", "-")  # broken at the end of a line
    assert "kindest/node" in said


@pytest.mark.parametrize("name", sorted(UNSET))
def test_an_empty_variable_is_none_where_nothing_is_the_default(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), "")
    assert not getattr(Settings.load(), name)
    assert not getattr(Settings(), name)
