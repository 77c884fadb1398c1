"""``python -m boxproof``: the commands behind the Nox sessions."""

import sys

from boxproof.cli.main import main
from boxproof.core.process import in_utf8

if __name__ == "__main__":
    in_utf8()
    sys.exit(main(sys.argv[1:]))
