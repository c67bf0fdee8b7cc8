"""Discounts: what they may say, what they take off a cart, and the formulas they may be worked out with. Pure."""
