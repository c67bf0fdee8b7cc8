"""The list of segments: its `filters`, and how far each segment has been filled."""
