"""Budgets of failed attempts: whoever tries codes that do not exist is soon answered no more."""
