"""Projects, the walls between tenants, and the keys that open them."""
