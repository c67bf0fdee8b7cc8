"""Consents: what a customer agreed to or refused, per purpose and channel, when and how."""
