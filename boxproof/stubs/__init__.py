"""Stand-ins for services the box talks to, driven by its real programs."""
