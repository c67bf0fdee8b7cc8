"""Who was in which segment when: now, at any past moment, and every entering and leaving."""
