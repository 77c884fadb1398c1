"""What a directory shows of a box: each fact for subject.toml with the place it comes from."""
