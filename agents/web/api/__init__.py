"""The HTTP API: requests in, their answers out, with Kafka and the workers behind them."""
