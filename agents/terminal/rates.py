"""What a command says at its start of the rates of currencies."""

import time
from datetime import UTC, date, datetime

import click

from agents.settings.schema import Settings
from schemas.currency import Rates


def warn_of_old_rates(settings: Settings) -> None:
    """Say on stderr that the rates are old, if they are."""
    today = datetime.fromtimestamp(time.time(), UTC).date()
    if warning := old_rates(settings.input_rules.rates, today):
        click.echo(f"Warning: {warning}", err=True)


def old_rates(rates: Rates, today: date) -> str:
    """Return what to do about rates of more than a year ago; nothing about newer ones."""
    if not rates.are_old(today):
        return ""
    return (
        f"currency_rates: {rates.file} has rates of {rates.day}, more than a year ago; bring a "
        "copy up to date, its date too, and name it in the setting currency_rates"
    )
