"""What came of a campaign, in numbers."""
