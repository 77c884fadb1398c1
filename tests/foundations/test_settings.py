"""Settings: options beat variables beat defaults; unknown names say the nearest."""

from __future__ import annotations

import pytest

from boxproof.app.cli import asked, main
from boxproof.errors import UsageError
from boxproof.settings import Settings


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


def test_claims_are_repeatable_and_comma_separated() -> None:
    chosen, _ = asked(["--claims", "a,b", "--claims", "c-*"], "e2e", "")

    assert chosen.claims == ("a", "b", "c-*")


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["e2"]) == 2
    assert "did you mean 'e2e'?" in capsys.readouterr().err
