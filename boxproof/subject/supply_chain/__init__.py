"""What the image is made of: locked packages, provenance, secrets, known vulnerabilities."""
