"""What this machine can do, and what is obtained for it: packages, modules, an engine."""
