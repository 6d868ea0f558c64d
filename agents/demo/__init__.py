"""The demo: a whole installation on this machine, played and measured before the user's eyes."""
