"""The trash bin: what was deleted and can still be seen, until it is deleted for good."""
