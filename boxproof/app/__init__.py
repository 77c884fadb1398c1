"""The commands: they own the cluster and the run; everything else is called from here."""
