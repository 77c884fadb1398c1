"""What is wrong with the files of a box, where nothing was run yet: wrong usage, and nothing is refuted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from boxproof.core import secret_values
from pytest_claims.faults import SubjectFault, UsageError, one_line

UNFORESEEN = (ValueError, TypeError, AttributeError, LookupError, RuntimeError, yaml.YAMLError)


@contextmanager
def reading(directory: Path, mend: str) -> Iterator[None]:
    """Have the block read files of the box in ``directory``; raises UsageError where one cannot be read.

    A form that nobody foresaw leaves its traceback in a file: it may be the reader that is wrong.
    """
    try:
        yield
    except SubjectFault as fault:
        raise UsageError(fault.message, hint=fault.hint or mend) from fault
    except OSError as error:
        told = f"{error.filename or directory} cannot be read: {error.strerror or one_line(error)}"
        raise UsageError(told, hint=mend) from error
    except UNFORESEEN as error:
        why = one_line(f"{type(error).__name__}: {error}")
        hint = f"{mend}; the traceback is in {secret_values.keep_traceback(error)}"
        raise UsageError(f"a file in {directory} cannot be read: {why}", hint=hint) from error
