"""claudebox: Claude Code on a person's own machine, in a bubblewrap sandbox."""

VERSION = "0.1.0"
