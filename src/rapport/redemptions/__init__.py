"""Redemptions: using vouchers, undoing it, and asking beforehand whether it would work."""
