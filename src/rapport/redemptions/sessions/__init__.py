"""Validation sessions: uses of vouchers, and credits of gift cards, that are held back for whoever has the key."""
