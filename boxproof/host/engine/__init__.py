"""The Docker Engine in use: chosen, started, asked, and what it stores."""
