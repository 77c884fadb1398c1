"""Images on their way into nodes: loaded, pushed, pulled, pruned."""
