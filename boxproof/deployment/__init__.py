"""The box in a cluster: deployed, found again, looked after and removed."""
