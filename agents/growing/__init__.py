"""More partitions under an installation that has state: what each task keeps moves to its owner."""
