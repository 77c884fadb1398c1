"""What ``.venv/bin/inv`` starts: invoke, taught to tell wrong words before it has read tasks.py, too."""

from __future__ import annotations

import sys

from invoke.main import program

from boxproof.core.process import in_utf8
from boxproof.tasks.task_errors import parse_in_one_line


def main() -> None:
    """Become inv."""
    in_utf8()
    parse_in_one_line()
    sys.argv[0] = "inv"
    program.run()


if __name__ == "__main__":
    main()
