"""The read model: charges and what became of them in a database, made of the topics alone.

It can be thrown away at any time: the topics are the truth, and it is built from them again.
"""
