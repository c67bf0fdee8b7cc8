"""What can be redeemed: vouchers, gift cards and tiers of in-cart promotions, read with all that a decision needs."""
