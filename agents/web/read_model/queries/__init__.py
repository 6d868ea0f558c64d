"""Questions to the read model, each answered by one connection, whose tables are of one state."""
