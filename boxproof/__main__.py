"""``python -m boxproof``: the commands behind the Nox sessions."""

import sys

from boxproof.app.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
