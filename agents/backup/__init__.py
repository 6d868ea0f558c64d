"""Backup of an installation to files, and back: what people decided, models, and the state."""
