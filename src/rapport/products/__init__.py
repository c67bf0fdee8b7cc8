"""The catalogue: products, and the SKUs that they come in."""
