"""A run for other programs: attestation, code scanning, traces, metrics, conformance, CI, JSON Schemas."""
