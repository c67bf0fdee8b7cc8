"""What every feature stands on and no feature is known to: database, errors, ids, clock, JSON."""
