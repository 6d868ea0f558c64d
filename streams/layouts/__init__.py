"""Layouts of records by name, so that one version reads what another wrote."""
