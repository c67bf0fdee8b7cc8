"""What can be exported: for each object its rows, fields, orders and filters."""
