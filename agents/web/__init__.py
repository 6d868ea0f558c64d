"""What people and systems reach by HTTP."""
