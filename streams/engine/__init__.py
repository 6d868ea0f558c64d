"""The stream engine: it fetches, hands out what is next in event time, and commits exactly once."""
