"""A worker's stages over files, in two processes.

In go files of events, out come the outcomes that `agents.evaluation` sums up.
"""
