"""Locations: places that a project knows, with their shapes on the map."""
