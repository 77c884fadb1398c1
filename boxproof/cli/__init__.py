"""The commands: what nox sessions and `boxproof` run."""
