"""Vouchers: codes, what they take off an order, and when they may be used."""
