"""What a check leaves: its observations, evidence and record, with secrets redacted."""
