"""Customers: who they are, and the one path by which anything about them changes."""
