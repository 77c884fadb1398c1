"""Processes of the agent: signals, capabilities, control groups, orphans."""
