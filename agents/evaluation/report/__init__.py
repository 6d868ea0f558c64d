"""The report for a fraud analyst: one HTML page with its plots inside."""

from agents.evaluation.report.page import report_page

__all__ = ["report_page"]
