"""The node image of a cell: published, or built from pinned parts."""
