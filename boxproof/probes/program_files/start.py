#!/usr/bin/python3
"""Starts the probe program where the image keeps it."""

import sys

sys.path.insert(0, "/usr/local/lib/boxproof")

from boxproof.probes.program_files.probe import main

sys.exit(main())
