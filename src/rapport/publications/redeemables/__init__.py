"""What a customer holds: the codes that were given to them."""
