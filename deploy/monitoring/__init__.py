"""Prometheus and Grafana for an installation: dashboards, alerts, and what checks them."""
