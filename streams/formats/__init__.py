"""Payloads of Kafka in other formats than plain JSON: read as the JSON of our events.

In come inputs as they were fetched, and the schemas that they name; out come inputs whose payloads
are JSON. It asks nobody for a schema: `streams.kafka.schema_registry` does.
"""
