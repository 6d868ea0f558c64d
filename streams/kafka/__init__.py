"""Everything with a Kafka client that is not the engine: topics, reading, writing, waiting."""
