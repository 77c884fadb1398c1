"""Rights in a cluster: rules, reviews, and an audit of both."""
