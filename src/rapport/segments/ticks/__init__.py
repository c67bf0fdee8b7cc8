"""The passing of time: who joins or leaves a segment with no write happening."""
