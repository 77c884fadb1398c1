"""The subject's image: its Dockerfile, build, layers, files, packages and tools."""
