"""Evidence: why a customer is in a segment or is not, since when, and until when if nothing else happens."""
