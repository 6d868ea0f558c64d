"""The analysts' console: pages over the topics, for people who sign in."""
