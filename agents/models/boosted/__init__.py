"""Boosted trees: trained elsewhere once a day, scored and calibrated here as any model."""
