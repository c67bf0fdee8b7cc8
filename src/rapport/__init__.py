"""Rapport: a self-hosted promotion CRM."""

from importlib.metadata import version

__version__ = version("rapport")
