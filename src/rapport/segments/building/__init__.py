"""Filling new segments, changing over to new filters, removing deleted ones: what is about many customers at once."""
