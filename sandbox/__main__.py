"""Runs the launcher from its directory or from the single file it is built into."""

import sys

from claudebox.cli import main

sys.exit(main(sys.argv[1:]))
