"""Who may run beside whom, and in which order."""
