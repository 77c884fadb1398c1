"""``python -m boxproof``: the commands behind the Nox sessions."""

import sys

from boxproof.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
