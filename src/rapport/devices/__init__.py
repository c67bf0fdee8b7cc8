"""Devices: where a customer can be reached or was seen."""
