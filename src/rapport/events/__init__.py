"""Custom events: what customers do elsewhere, counted and kept."""
