"""The two stages of a task, and what they decide: from events to scored events and examples."""
