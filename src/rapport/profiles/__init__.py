"""The 360° profile: all that is known of one customer, in one call."""
