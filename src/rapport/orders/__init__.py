"""Orders, and what they add up to in their customer's summary."""
