"""HTTP: who calls, how errors look, how lists are paged. Knows no feature."""
