"""Campaigns of discount coupons, and the codes made for them."""
