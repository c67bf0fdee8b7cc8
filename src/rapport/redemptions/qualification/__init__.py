"""Qualification: what of all that there is a customer could redeem with a cart."""
