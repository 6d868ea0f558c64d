"""Drift: whether the score, what comes of it, or a feature has changed for good."""
