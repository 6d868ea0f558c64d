"""What merchants decide: rules, lists and settings, and what follows from them for a batch."""
