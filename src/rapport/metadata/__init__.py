"""Metadata schemas: what metadata may hold, checked on every way in."""
