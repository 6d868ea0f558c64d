"""The report's sections, and the page they make."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.evaluation.formatting import dollars, headlines, number, percent
from agents.evaluation.report import plots
from agents.evaluation.report.drift import drift_section
from agents.evaluation.report.loop import loop_section
from agents.evaluation.report.markup import (
    Bar,
    Cell,
    Group,
    Text,
    cards,
    details,
    document,
    figure,
    note,
    pair,
    section,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.evaluation.outcomes import Outcomes

    Metrics = Mapping[str, Any]

_SEGMENTS = {
    "channel": "Channel",
    "country": "Country of the card",
    "amount_band": "Amount",
    "merchant_size": "Size of the merchant, charges",
    "card_history": "Card",
}

_ACTIONS = {
    "allow": "let through",
    "challenge": "ask the cardholder to authenticate (3-D Secure, one-time code)",
    "review": "let an analyst decide",
    "block": "refuse",
}

_MEASURES = (
    "Charges",
    "Frauds",
    "Fraud rate",
    "Mean score",
    "Average precision",
    "AUC",
    "Caught at 1% blocked",
    "Saved",
)


def report_page(outcomes: Outcomes, metrics: Metrics) -> str:
    """Return the page.

    Parameters
    ----------
    outcomes
        The charges that count.
    metrics
        What `agents.evaluation.summary.evaluate` gives of them, and the facts of the run:
        ``files``, ``model``, ``label_horizon_days``, ``charges_scored``, ``duplicates``,
        ``rejected``, ``drift`` (see `agents.evaluation.drift`), ``still_disputable``, ``seconds``,
        ``charges_per_second`` and ``peak_rss_mb``; of a closed loop ``closed_loop`` (see
        `agents.evaluation.loop`).
    """
    title = f"Backtest of {Path(metrics['files'][0]).name}"
    sections = [cards(headlines(metrics))]
    if metrics["charges"] and "closed_loop" in metrics:
        sections.append(loop_section(metrics["closed_loop"]))
    if metrics["charges"]:
        sections += [_money(metrics), _ranking(outcomes, metrics), _scores(outcomes, metrics)]
        sections += [_days(metrics), drift_section(metrics["drift"]), _segments(metrics)]
    sections.append(_run(metrics))
    return document(title, _subtitle(outcomes, metrics), _notes(metrics), "".join(sections))


def _subtitle(outcomes: Outcomes, metrics: Metrics) -> str:
    if not len(outcomes):
        return "No charge was made in the period."
    first, last = (
        datetime.fromtimestamp(float(time), UTC).strftime("%-d %B %Y")
        for time in (outcomes.created.min(), outcomes.created.max())
    )
    return (
        f"{metrics['charges']:,} charges from {first} to {last}. Each was scored with what was "
        "known at its time, and learned from only when its label had come: at a dispute for fraud, "
        f"or after {metrics['label_horizon_days']:g} days without one."
    )


def _notes(metrics: Metrics) -> str:
    notes = []
    if metrics["charges"] and not metrics["frauds"]:
        notes.append("None of these charges was disputed as fraud, so detection cannot be judged.")
    if metrics["still_disputable"]:
        share = percent(metrics["still_disputable"] / metrics["charges"], 2)
        notes.append(
            f"{metrics['still_disputable']:,} of these charges ({share}) are younger than "
            f"{metrics['label_horizon_days']:g} days at the end of the files: they count as "
            "genuine here, but disputes may still come."
        )
    return "".join(map(note, notes))


def _money(metrics: Metrics) -> str:
    money, frauds = metrics["money"], metrics["frauds"]
    limit = money["amount_limit"]
    by_amount = "none would have paid" if limit is None else f"blocking {dollars(limit)} and more"
    rows: list[list[Cell]] = []
    for name, action in metrics["actions"].items():
        charges, found = action["charges"], action["frauds"]
        share = charges / metrics["charges"]
        rows.append(
            [
                name,
                Text(_ACTIONS[name]),
                f"{charges:,}",
                Bar(percent(share, 2), share),
                f"{found:,}",
                Bar(percent(found / frauds), found / frauds) if frauds else "n/a",
                percent(found / charges, 2) if charges else "n/a",
                dollars(action["fraud_amount"]),
            ]
        )
    counts = ["Charges", "Share", "Frauds", "Share of frauds", "Fraud rate", "Amount of frauds"]
    return section(
        "Money and actions",
        "What fraud and the interventions against it cost, by the cost table in the settings: "
        "losses and dispute fees, margin lost on good customers, challenges and reviews.",
        figure(
            plots.money_plot(money),
            f"Bars of cost: allowing everything {dollars(money['cost_of_nothing'])}, blocking by "
            f"amount {dollars(money['cost_by_amount'])}, Chargewatch {dollars(money['cost'])}.",
            f"The limit by amount is the one that would have cost least, known in hindsight: "
            f"{by_amount}.",
        ),
        table("Actions taken", ["Action", Text("What it means"), *counts], Group("", rows)),
    )


def _ranking(outcomes: Outcomes, metrics: Metrics) -> str:
    if metrics["auc_roc"] is None:
        return ""
    recall = metrics["recall_at_block_rate"]
    caught = ", ".join(
        f"{percent(found)} of frauds at {percent(float(rate))} blocked"
        for rate, found in recall.items()
    )
    return section(
        "How well frauds are told from genuine charges",
        "Any threshold on the score trades frauds caught against genuine customers stopped; the "
        "curves show every threshold. The dotted lines are what chance would give.",
        pair(
            figure(
                plots.precision_recall_plot(outcomes),
                f"Precision-recall curve, average precision {number(metrics['average_precision'])};"
                f" {caught}.",
                "Precision and recall: higher and further right is better.",
            ),
            figure(
                plots.roc_plot(outcomes),
                f"ROC curve, area {number(metrics['auc_roc'])}; chance would give 0.5.",
                "ROC: frauds caught for each share of genuine charges flagged.",
            ),
        ),
    )


def _scores(outcomes: Outcomes, metrics: Metrics) -> str:
    deciles = metrics["calibration"]
    rows = [
        [
            f"{place} of {len(deciles)}",
            f"{part['charges']:,}",
            f"{part['frauds']:,}",
            percent(part["predicted"], 3),
            percent(part["observed"], 3),
            f"{part['predicted'] / part['observed']:.2f}" if part["observed"] else "n/a",
        ]
        for place, part in enumerate(deciles, 1)
    ]
    top = deciles[-1]
    columns = ["Group", "Charges", "Frauds", "Predicted", "Observed", "Predicted / observed"]
    return section(
        "Can the score be taken at its word?",
        "A score of 2% should mean that 2 in 100 such charges are disputed as fraud. Charges are "
        "put into ten groups of equal size by their score, and each group's mean score is compared "
        "with what happened.",
        pair(
            figure(
                plots.calibration_plot(outcomes),
                "Observed against predicted fraud by height of the score; in the highest of ten "
                f"groups, predicted {percent(top['predicted'], 2)}, observed "
                f"{percent(top['observed'], 2)}.",
                "Predicted and observed fraud by height of the score, with 95% intervals: on the "
                "dotted line they agree.",
            ),
            figure(
                plots.score_plot(outcomes),
                "Histograms of the score of genuine charges and of frauds.",
                "How scores are spread: the less the two overlap, the better. The outermost bars "
                "hold everything beyond them.",
            ),
        ),
        table("Ten groups by score, from the lowest", columns, Group("", rows)),
    )


def _days(metrics: Metrics) -> str:
    days = metrics["by_day"]
    rows = [[day["day"], *_measures(day)] for day in days]
    average = number(metrics["average_precision"])
    return section(
        "Day by day",
        "A day that falls off the line is worth a look: a new pattern of fraud, or a model that "
        "has not caught up with one.",
        figure(
            plots.days_plot(days, metrics["average_precision"]),
            f"Average precision, fraud rate and charges on each of {len(days)} days; average "
            f"precision over all days {average}.",
            f"Average precision by day (dotted: over all days, {average}), fraud as observed and "
            "as predicted, and charges.",
        ),
        details("All figures by day", table("By day", ["Day", *_MEASURES], Group("", rows))),
    )


def _segments(metrics: Metrics) -> str:
    groups = [
        Group(_SEGMENTS[name], [[part, *_measures(measured)] for part, measured in parts.items()])
        for name, parts in metrics["by_segment"].items()
    ]
    return section(
        "Segments",
        "Where detection is strong and where it is weak. Each line is measured among its own "
        "charges alone: the 1% blocked are 1% of the segment.",
        table("By segment", ["Part", *_MEASURES], *groups),
    )


def _measures(part: Metrics) -> list[Cell]:
    """Return the cells of `_MEASURES`."""
    precision, caught = part["average_precision"], part["recall_at_block_rate"]["0.01"]
    return [
        f"{part['charges']:,}",
        f"{part['frauds']:,}",
        percent(part["frauds"] / part["charges"], 2),
        percent(part["score_mean"], 2),
        Bar(number(precision), precision),
        number(part["auc_roc"]),
        Bar(percent(caught), caught),
        dollars(part["money"]["saved_against_nothing"]),
    ]


def _run(metrics: Metrics) -> str:
    rejected = metrics["rejected"]
    listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items()))
    rows: list[list[Cell]] = [
        ["Files", Text(", ".join(metrics["files"]))],
        ["Charges scored", Text(f"{metrics['charges_scored']:,}, those outside the period too")],
        ["Duplicate charges", Text(f"{metrics['duplicates']:,}, answered again and not counted")],
        [
            "Rejected inputs",
            Text(
                f"{sum(rejected.values()):,}: {listed}; see rejected.jsonl" if rejected else "none"
            ),
        ],
        ["Model at the end", Text(metrics["model"] or "none yet")],
        ["Time", Text(f"{metrics['seconds']:,.1f} s")],
        ["Speed", Text(f"{metrics['charges_per_second']:,.0f} charges a second")],
        ["Peak memory", Text(f"{metrics['peak_rss_mb']:,.0f} MB")],
    ]
    return section(
        "The run",
        "What was processed, and how fast.",
        table("Facts of the run", ["Fact", Text("Value")], Group("", rows)),
    )
