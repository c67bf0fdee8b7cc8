"""Orders and events in files: which columns there are, how rows are applied, and how that is undone."""
