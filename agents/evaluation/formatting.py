"""The figures of an evaluation in words: for the terminal and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schemas.currency import Rates

NOT_KNOWN = "n/a"


def number(value: float | None, decimals: int = 3) -> str:
    """Write a number.

    >>> number(0.75479), number(None)
    ('0.755', 'n/a')
    """
    return NOT_KNOWN if value is None else f"{value:,.{decimals}f}"


def percent(value: float | None, decimals: int = 1) -> str:
    """Write a share.

    >>> percent(0.00872, 2)
    '0.87%'
    """
    return NOT_KNOWN if value is None else f"{value:.{decimals}%}"


def dollars(value: float | None) -> str:
    """Write an amount of the reference currency.

    >>> dollars(-1234567.8), dollars(12.3)
    ('-$1,234,568', '$12.30')
    """
    if value is None:
        return NOT_KNOWN
    return f"{'-' if value < 0 else ''}${abs(value):,.{0 if abs(value) >= 100 else 2}f}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines, the first column to the left and the others to the right.

    >>> list(aligned([("rule", "matched"), ("abroad", "12")]))
    ['rule    matched', 'abroad       12']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *right])


def estimate(told: Mapping[str, float | None], decimals: int = 1) -> str:
    """Write an estimated share with its interval, if it has one.

    >>> estimate({"value": 0.8123, "low": 0.7, "high": 0.91}), estimate({"value": None})
    ('81.2% (70.0 to 91.0)', 'n/a')
    """
    value = percent(told["value"], decimals)
    low, high = told.get("low"), told.get("high")
    if low is None or high is None:
        return value
    return f"{value} ({100.0 * low:.{decimals}f} to {100.0 * high:.{decimals}f})"


class Headline(NamedTuple):
    """One figure: its name, its value in words, and what it means."""

    name: str
    value: str
    meaning: str


def headlines(metrics: Mapping[str, Any]) -> list[Headline]:
    """Word the figures that matter most, from what `agents.evaluation.summary.measures` gives."""
    recall, saved = metrics["recall_at_block_rate"], metrics["money"]
    limit = saved["amount_limit"]
    share = metrics["frauds"] / metrics["charges"] if metrics["charges"] else None
    return [
        Headline("Charges", f"{metrics['charges']:,}", "scored in the period, duplicates left out"),
        Headline("Frauds", f"{metrics['frauds']:,}", f"disputed as fraud, {percent(share, 2)}"),
        Headline(
            "Saved, against allowing all",
            dollars(saved["saved_against_nothing"]),
            f"of the {dollars(saved['cost_of_nothing'])} that fraud would have cost",
        ),
        Headline(
            "Saved, against an amount limit",
            dollars(saved["saved_against_amount"]),
            "no limit would have paid"
            if limit is None
            else f"of blocking from {dollars(limit)} on, the best limit in hindsight",
        ),
        Headline(
            "Average precision",
            number(metrics["average_precision"]),
            "share of frauds among the flagged, averaged over all thresholds; at random "
            f"{number(share)}",
        ),
        Headline(
            "AUC ROC",
            number(metrics["auc_roc"]),
            "chance that a fraud scores above a genuine charge; at random 0.5",
        ),
        Headline(
            "Card precision @ 100",
            number(metrics["card_precision_at_100"]),
            "share of defrauded cards among the 100 that an analyst would look at each day",
        ),
        Headline(
            "Calibration error",
            NOT_KNOWN
            if metrics["calibration_error"] is None
            else f"{100 * metrics['calibration_error']:.3f} pp",
            "mean distance of predicted and observed fraud in ten groups, percentage points",
        ),
        *(
            Headline(
                f"Caught at {100 * float(rate):g}% blocked",
                percent(caught),
                f"share of frauds among the {100 * float(rate):g}% of charges that score highest",
            )
            for rate, caught in recall.items()
        ),
        Headline(
            "Brier score", number(metrics["brier"], 5), "mean squared error of the score; 0 is best"
        ),
    ]


COLOURS = {"allow": "green", "challenge": "yellow", "review": "magenta", "block": "red"}


def money(event: dict[str, Any], rates: Rates) -> str:
    """Return the amount in major units with its currency, aligned.

    >>> from schemas.currency import bundled_rates
    >>> money({"amount": 1999, "currency": "jpy"}, bundled_rates())
    '      1999 JPY'
    >>> money({"amount": 1999, "currency": "xyz"}, bundled_rates())
    '      1999 minor units of XYZ'
    """
    amount, currency = event["amount"], event["currency"]
    code = printable(currency.upper())
    if currency not in rates:  # the worker has other rates
        return f"{amount:10d} minor units of {code}"
    decimals = rates.decimals[currency]
    return f"{amount / 10**decimals:10.{decimals}f} {code}"
