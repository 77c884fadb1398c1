"""What everything else builds on: settings, the session, processes, labels, files."""
