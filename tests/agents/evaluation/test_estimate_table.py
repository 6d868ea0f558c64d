"""The table of estimates: figures where there are any, and clear words where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.evaluation.estimate_table import estimate_lines
from agents.evaluation.matured_sums import MaturedCharges
from streams.durations import DAY_S
from streams.wire.matured import FRAUD
from tests.agents.evaluation.test_estimates import blocked, through

if TYPE_CHECKING:
    from streams.events.rows import Rows


def lines_of(*parts: Rows, days: int = 30) -> list[str]:
    matured = MaturedCharges()
    for part in parts:
        matured.add(part)
    return list(estimate_lines(matured, days))


def test_before_anything_has_matured() -> None:
    (line,) = lines_of()
    assert line.startswith("Nothing to estimate yet")


def test_where_nothing_was_to_be_stopped() -> None:
    lines = lines_of(through(5, 50, 10.0))
    assert lines[0].startswith("505 charges made from 1970-01-01 to 1970-01-01")
    assert lines[1] == "None of them was to be stopped."
    assert "nan" not in "".join(lines)


def test_where_nothing_was_let_through() -> None:
    lines = lines_of(through(5, 50, 10.0), blocked(80, share=0.0))
    assert "Of the 80 that were to be stopped none was let through" in lines[1]
    (row,) = [line.split() for line in lines if line.startswith("block ")][:1]
    assert row == ["block", "80", "0.0%", "0", "0", "n/a", "n/a", "n/a", "80.0%"]
    assert "nan" not in "".join(lines)


def test_few_labels_are_told_of() -> None:
    lines = lines_of(through(5, 50, 10.0), blocked(80, share=0.2, drawn=15))
    assert "Of the 80 that were to be stopped only 15 were seen" in lines[1]


def test_the_figures() -> None:
    rows = blocked(100, share=0.5, drawn=50)
    rows["seen"][:40] = FRAUD
    lines = lines_of(through(10, 50, 10.0), rows)
    precision, recall, false_positives = (
        [line.split() for line in lines if line.startswith("block ")][place] for place in range(3)
    )
    assert precision[:6] == ["block", "100", "100.0%", "50", "50", "80.0%"]
    assert precision[-1] == "80.0%"
    assert recall[5] == "88.9%"
    assert false_positives[5] == "3.846%"
    assert [line.split()[0] for line in lines if "doubly robust" in line] == [
        "precision", "recall", "false-positive",
    ]  # fmt: skip


def test_only_the_latest_days_count() -> None:
    old, new = blocked(30, share=0.5, drawn=20), blocked(70, share=0.5, drawn=20)
    new["created"] = 9.5 * DAY_S
    assert lines_of(old, new, days=9)[0].startswith("70 charges made from 1970-01-02")
    assert lines_of(old, new, days=10)[0].startswith("100 charges made from 1970-01-01")
