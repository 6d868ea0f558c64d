"""How well charges were scored: metrics, money, and the report for a fraud analyst."""
