"""Back-tests: what a draft of rules and of a discount would have done with the orders that are stored."""
