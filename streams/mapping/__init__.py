"""Mappings: what any company's file says of charges, in the fields that are known here."""
