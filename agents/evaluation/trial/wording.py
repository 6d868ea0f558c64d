"""What rules change, in words: for the terminal and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents.evaluation.formatting import Headline, dollars, estimate, number, percent
from agents.rules.literals import number_text
from schemas.edits import EVERYONE
from schemas.scored import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Told = Mapping[str, Any]
    """What `agents.evaluation.trial.summary.changes` gives, and the facts of the run."""

_COUNTS: Final = ("Charges", "Frauds", "Genuine", "Unknown", "Amount")


class Listing(NamedTuple):
    """A table in words.

    Attributes
    ----------
    title
        What it shows.
    columns
        Their names; of the first `texts` of them the cells are words, of the others figures.
    rows
        The cells.
    texts
        How many columns of words there are.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


def headlines(told: Told) -> list[Headline]:
    """Word the figures that matter most."""
    whole, changed, effects = told["all"], told["changed"], told["effects"]
    share = changed["charges"] / whole["charges"] if whole["charges"] else None
    stopped, refused = effects["frauds_stopped"], effects["genuine_refused"]
    cost, each = effects["cost"], effects["cost_per_1000"]
    return [
        Headline(
            "Charges that change",
            f"{changed['charges']:,}",
            f"{percent(share, 2)} of {whole['charges']:,}; {dollars(changed['amount'])} in all",
        ),
        Headline(
            "Frauds stopped",
            signed(stopped["difference"]),
            _sides(stopped, lambda value: number(value, 1), signed),
        ),
        Headline(
            "Genuine charges refused",
            signed(refused["difference"]),
            _sides(refused, lambda value: number(value, 1), signed),
        ),
        Headline(
            "Cost",
            signed_dollars(cost["difference"]),
            _sides(cost, dollars, signed_dollars),
        ),
        Headline(
            "Cost of 1,000 charges",
            signed_dollars(each["difference"]),
            _sides(each, dollars, signed_dollars),
        ),
    ]


def warnings(told: Told) -> list[str]:
    """Say what the figures leave out, and what else should not be missed."""
    whole, said = told["all"], list[str]()
    if not whole["charges"]:
        of = "" if told["merchant"] == EVERYONE else f" of {told['merchant']}"
        return [f"No charge{of} was made in the period: there is nothing to tell."]
    if told["young"]:
        said.append(
            f"{told['young']:,} of the charges, {told['changed_young']:,} of those that change, "
            f"are younger than {told['label_horizon_days']:g} days at the end of the history and "
            "not disputed: they are unknown, more frauds may be among them, and what the rules "
            "catch is understated."
        )
    if told["silenced"]:
        said.append(
            f"{told['silenced']:,} of the charges were stopped or refunded, by their outcomes: "
            "nobody knows what would have become of them."
        )
    if not whole["frauds"]:
        said.append("None of the charges was disputed as fraud: what rules catch cannot be told.")
    if told["elsewhere"]:
        said.append(
            f"{told['elsewhere']:,} charges of other merchants get another action as well, since "
            "reviews are shared with them; no figure has them."
        )
    if told["sweeps_left_out"]:
        said.append(
            f"{told['sweeps_left_out']:,} more thresholds were not tried with other constants."
        )
    return said


def action_listing(told: Told) -> Listing:
    """Return how many charges get which action, before and after."""
    rows = []
    for action in ACTIONS:
        before, after = (
            sum(row["charges"] for row in told["transitions"] if row[side] == action)
            for side in ("before", "after")
        )
        rows.append([action, f"{before:,}", f"{after:,}", f"{after - before:+,}"])
    return Listing("Actions", ["Action", "Before", "After", "Difference"], rows)


def transition_listing(told: Told) -> Listing:
    """Return which charges get which action."""
    rows = [
        [
            f"{row['before']} -> {row['after']}"
            if _changes(row)
            else f"{row['before']}, as before",
            *counted(row),
        ]
        for row in told["transitions"]
    ]
    return Listing("What changes", ["Action", *_COUNTS], rows)


def match_listing(told: Told, *, has_conditions: bool = False) -> Listing:
    """Return what each rule matches, beside its text or without it."""
    rows = [
        [
            row["id"],
            *([row["rule"]] if has_conditions else []),
            *counted(row["matched"])[:-1],
            estimate(row["precision"]),
            percent(row["recall"]),
        ]
        for row in told["rules"]
    ]
    names = ["Rule", "Condition"] if has_conditions else ["Rule"]
    columns = [*names, *_COUNTS[:-1], "Precision", "Recall"]
    return Listing("What each rule matches", columns, rows, len(names))


def decision_listing(told: Told) -> Listing:
    """Return what each rule decides, and of how many of them the action changes."""
    rows = [
        [
            row["id"],
            *counted(row["decided"]),
            f"{row['changes']:,}",
        ]
        for row in told["rules"]
    ]
    return Listing("What each rule decides", ["Rule", *_COUNTS, "Changes"], rows)


def overlap_listing(told: Told, most: int) -> Listing:
    """Return the largest overlaps of rules."""
    rows = [
        [
            " and ".join(row["rules"]),
            f"{row['charges']:,}",
            f"{row['frauds']:,}",
            percent(row["share"]),
        ]
        for row in told["overlaps"][:most]
    ]
    columns = ["Rules", "Charges of both", "Frauds", "Share of the smaller"]
    return Listing("Rules that match the same charges", columns, rows)


def sweep_listing(sweep: Told) -> Listing:
    """Return what a rule would match with other constants."""
    rows = [
        [
            f"{sweep['operator']} {number_text(point['constant'])}"
            + (" (now)" if point["own"] else ""),
            *counted(point)[:-1],
            percent(point["precision"]),
            percent(point["recall"]),
        ]
        for point in sweep["points"]
    ]
    columns = ["Constant", *_COUNTS[:-1], "Precision", "Recall"]
    return Listing(sweep_title(sweep), columns, rows)


def sweep_title(sweep: Told) -> str:
    """Say what is swept."""
    rest = "" if sweep["rest"] == "true" else f", where {sweep['rest']}"
    return f"{sweep['id']}: {sweep['attribute']} {sweep['operator']} ...{rest}"


def never_decides(row: Told) -> str:
    """Say why a rule decides nothing.

    >>> never_decides({"id": "a", "charges": 0, "taken_by": []})
    'a matches no charge.'
    >>> never_decides({"id": "a", "charges": 5, "taken_by": [{"id": "b", "charges": 5}]})
    'a decides nothing: all 5 charges that it matches are decided by b.'
    """
    if not row["charges"]:
        return f"{row['id']} matches no charge."
    takers = row["taken_by"]
    names = [taker["id"] or "a rule of all merchants" for taker in takers]
    if len(names) > 1:
        names = [f"{name} ({t['charges']:,})" for name, t in zip(names, takers, strict=True)]
    said = "the one charge" if row["charges"] == 1 else f"all {row['charges']:,} charges"
    verb = "is" if row["charges"] == 1 else "are"
    return (
        f"{row['id']} decides nothing: {said} that it matches {verb} decided by {_listed(names)}."
    )


def counted(counts: Told) -> list[str]:
    """Write counts: charges, frauds, genuine, unknown, amount."""
    names = ("charges", "frauds", "genuine", "unknown")
    return [*(f"{counts[name]:,}" for name in names), dollars(counts["amount"])]


def signed(value: float) -> str:
    """Write a difference of charges.

    >>> signed(1234.56), signed(-0.87), signed(-0.04)
    ('+1,234.6', '-0.9', '0.0')
    """
    text = f"{value:+,.1f}"
    return text[1:] if float(text.replace(",", "")) == 0.0 else text


def signed_dollars(value: float) -> str:
    """Write a difference of amounts.

    >>> signed_dollars(12.3), signed_dollars(-1234.5), signed_dollars(0.0)
    ('+$12.30', '-$1,234', '$0.00')
    """
    return f"+{dollars(value)}" if value > 0.0 else dollars(value)


def _sides(told: Told, write: Callable[[float], str], sign: Callable[[float], str]) -> str:
    """Say what was before and is after, and in which interval the difference lies."""
    interval = f"95% interval {sign(told['low'])} to {sign(told['high'])}"
    return f"{write(told['before'])} before, {write(told['after'])} after; {interval}"


def _changes(row: Told) -> bool:
    return bool(row["before"] != row["after"])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
