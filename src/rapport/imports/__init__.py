"""Imports of files: uploaded in a stream, read and applied row by row, each exactly once, and undone again."""
