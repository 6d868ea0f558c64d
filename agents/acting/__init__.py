"""Carrying the actions out where nobody else does: in the closed loop and on simulated streams."""
