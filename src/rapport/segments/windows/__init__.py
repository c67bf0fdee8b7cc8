"""Windows: which of a customer's events and orders the conditions of filters count, and how they are loaded."""
