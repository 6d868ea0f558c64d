"""Rules on trial: what they would change, on charges whose outcome is known by now."""
