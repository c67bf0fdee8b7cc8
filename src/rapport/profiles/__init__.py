"""The 360° profile: all that is known of a customer, in one answer."""
