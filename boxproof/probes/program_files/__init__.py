"""What runs inside the probe image: the standard library alone."""
