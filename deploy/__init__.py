"""How Chargewatch is run: the local Kafka. Imports nothing of the other packages."""
