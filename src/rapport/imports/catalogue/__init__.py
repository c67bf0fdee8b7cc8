"""Products and SKUs in files."""
