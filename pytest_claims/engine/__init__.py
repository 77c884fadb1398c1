"""The engine at work: selects by claim, keeps the ledger, types the verdicts, records each check."""
