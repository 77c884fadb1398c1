#!/bin/bash
# Stands in for the dispatch by CLAUDE_MODE of a box of this shape.
case "${CLAUDE_MODE:-interactive}" in
interactive | headless | remote-control) exec sleep 86400 ;;
*) echo "unknown mode" >&2; exit 1 ;;
esac
