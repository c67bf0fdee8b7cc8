"""The self-audit: compares stored membership with what the filters say in SQL, all the time, a few at a time."""
