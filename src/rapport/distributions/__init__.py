"""Distributions: messages that customers receive when something happens to them."""
