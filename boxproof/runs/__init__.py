"""The life of a run: bring-up, ownership, suites, and the sweep of what dead runs left."""
