"""Categories: groups of campaigns and promotions, by which it is decided what stacks with what."""
