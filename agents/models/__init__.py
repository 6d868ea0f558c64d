"""Models: learners that take examples one by one, scorers that take a snapshot and a batch."""
