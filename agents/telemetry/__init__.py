"""What all processes tell Prometheus, and the kinds of metrics that its own library lacks."""
