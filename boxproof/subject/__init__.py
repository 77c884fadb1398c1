"""The subject: what subject.toml says of it, its copies, and what an edit of it touches."""
