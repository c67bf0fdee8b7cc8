"""The stacking rules of a project: read and changed by the management API, read by every redemption."""
