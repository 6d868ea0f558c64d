"""Boosted trees: trained elsewhere every few hours, scored and calibrated here as any model."""
