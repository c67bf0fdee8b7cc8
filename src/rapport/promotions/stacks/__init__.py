"""Stacks: tiers of one campaign that are applied together, in an order of their own."""
