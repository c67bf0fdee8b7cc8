"""Exports: what is stored, as files."""
