"""Segments: groups of customers that are exact at every commit."""
