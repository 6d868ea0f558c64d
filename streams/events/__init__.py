"""Events as they come in: decoded to rows of numbers and texts, or rejected with a reason.

In go the payloads of topics or files, out come columns of a batch, and rejected copies.
"""
