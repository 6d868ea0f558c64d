"""The state of a task: tables over an ordered store, changed only by whole commits."""
