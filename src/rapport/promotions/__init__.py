"""In-cart promotions: the tiers of campaigns, and stacks of them."""
