"""Customers who are one person: finding them, merging two, undoing it."""
