"""Benchmarks: how near Rapport comes to what the database itself can do, measured in the same run."""
