"""Looking at the state that a worker keeps: what is in it, and whether it can be gone on from."""
