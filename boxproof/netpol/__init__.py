"""Whether a cluster's own network policy engine conforms, by cyclonus."""
