"""Static segments: lists of customers made by hand, from a filter taken once, or from a file."""
