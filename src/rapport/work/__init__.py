"""Background work: claiming it, and doing things again and again."""
