"""What gets through: connections, names, and the table of all of them."""
