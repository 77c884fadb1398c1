"""Tasks end with one line and an exit code where they fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from invoke.exceptions import Exit

from boxproof.cli.main import defect, interrupt_once
from pytest_claims.faults import BoxproofError, ExitCode


def explained(work: Callable[..., None]) -> Callable[..., None]:
    """Show a failure of boxproof's own kind as one line and its exit code; clean up when told to end."""

    @wraps(work)
    def wrapped(*words: Any, **options: Any) -> None:
        interrupt_once()
        try:
            work(*words, **options)
        except BoxproofError as error:
            raise Exit(f"boxproof: {error}", code=int(error.exit_code)) from None
        except KeyboardInterrupt:
            raise Exit("boxproof: interrupted", code=int(ExitCode.INTERRUPTED)) from None
        except Exit:
            raise
        except Exception as error:  # a defect of ours
            raise Exit(f"boxproof: {defect(error)}", code=int(ExitCode.BLOCKED)) from None

    return wrapped
