"""Imports: files of customers, orders and events, applied row by row, each once."""
