"""Messages of distributions: written, handed over at most once, and kept."""
