"""Keeping the read model: messages of the topics become rows, and what is old is deleted."""
