"""Counters: what has to be counted because a rule asks for it, and how far it has come."""
