"""KIND clusters: made, measured, and their nodes' logs kept."""
