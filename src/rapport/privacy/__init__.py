"""A person's rights: everything held on them as one file, and its permanent deletion."""
