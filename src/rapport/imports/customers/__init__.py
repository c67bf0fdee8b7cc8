"""Customers in files: which columns there are, how a row is applied, and how that is undone."""
