"""Pods of ours, and what a pod's start, volumes and identity show."""
