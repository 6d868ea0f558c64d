"""How Chargewatch is run: Kafka on one machine. Imports nothing of the other packages."""
