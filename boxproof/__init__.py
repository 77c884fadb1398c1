"""boxproof proves that an AI agent in a container does what its authors claim."""

__version__ = "0.1.0"
