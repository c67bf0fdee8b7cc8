"""Validation rules: who may redeem what, decided before anything is taken off."""
