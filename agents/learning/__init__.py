"""Learning from examples: the learners of all models, their snapshots, and who is champion."""
