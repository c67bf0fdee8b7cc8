"""Bulk updates of customers, as asynchronous actions."""
