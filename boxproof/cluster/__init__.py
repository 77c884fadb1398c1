"""The cluster of a cell: node image, KIND, loading of images."""
