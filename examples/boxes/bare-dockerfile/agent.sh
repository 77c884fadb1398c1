#!/bin/sh
# Stands in for an agent: it waits.
exec sleep 86400
