#!/bin/sh
# Stands in for an agent: it says that it is up and waits.
trap 'exit 0' TERM
echo "agent ready"
while :; do
    sleep 1 &
    wait $!
done
