"""What the suites and the library ask of a Kubernetes API server: plain dicts in, plain dicts out."""
