"""How charges get their labels: disputes find their charges, and silence matures.

In go events in the order of their partition, out come examples to learn from.
"""
