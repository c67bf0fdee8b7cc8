"""Previews: who a filter would hold for, before there is a segment."""
