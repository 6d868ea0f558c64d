"""What a charge is compared with: the records of cards and merchants, and the features they give.

In go rows of events and the records they belong to, out come updated records and vectors.
"""
