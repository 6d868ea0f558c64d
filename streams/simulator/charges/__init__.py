"""Charges of the simulation as rows: genuine ones, those of fraud campaigns, and crowds."""
