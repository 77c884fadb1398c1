"""What `nox -s bench` measures: each thing in turns with the usual way of doing it."""
