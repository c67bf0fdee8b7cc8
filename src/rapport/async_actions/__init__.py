"""Asynchronous actions: work that a request asks for and the worker does in steps, its progress and its result."""
