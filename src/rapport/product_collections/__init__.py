"""Collections of products and SKUs: lists of them, and filters that say what is in."""
