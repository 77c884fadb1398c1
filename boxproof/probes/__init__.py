"""Typed observations of the subject: each probe records what it asked and what was answered."""
