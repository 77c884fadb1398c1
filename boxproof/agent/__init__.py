"""Probes that know Claude Code and the programs of this box."""
