"""Campaign templates: what a campaign or a tier was like, to make others from."""
