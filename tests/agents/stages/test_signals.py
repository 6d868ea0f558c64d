"""Charges with signals of the producer's own, through both stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.drift.monitor import CHARGES_MIN
from agents.settings.sources import SettingsError
from agents.stages.tasks import features_of
from schemas.signals import SIGNALS_MAX, signals_of
from streams.labels.pending import pending_layout
from streams.layouts.reader import Reader
from streams.state.tables import PENDING
from streams.wire.examples import example_layout
from tests.agents.stages.stages import DAY, START, Run, charge, dispute

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNALS = signals_of({
    "ip_risk": {"kind": "number", "text": "an IP risk of {value:.1f}"},
    "shop": {"kind": "category", "text": 'the "shop" sells {value}'},
    "plan": "category",
})  # fmt: skip


class Pointing:
    """A scorer whose reasons are the last columns, the very last first."""

    version = "pointing"

    def __init__(self, columns: int) -> None:
        self._columns = columns

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.full(len(vectors), 0.01)

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        return np.zeros(len(scores), np.uint8)

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        contributions = np.zeros(vectors.shape)
        contributions[:, -self._columns :] = 1.0 + np.arange(self._columns)
        return contributions


def run_of(**settings: Any) -> Run:
    run = Run(signals=SIGNALS, **settings)
    run.scorer = Pointing(len(SIGNALS))
    return run


def vectors(run: Run) -> NDArray[np.float32]:
    return np.frombuffer(b"".join(run.outputs.vectors), np.float32).reshape(
        len(run.outputs.vectors), -1
    )


def learned(run: Run) -> np.void:
    """Have the charge c1 disputed; return the example that comes of it."""
    run.feed(dispute("c1", START + DAY), charge("later", START + 2 * DAY, card="card_2"))
    layout = example_layout(features_of(run.settings))
    examples = np.frombuffer(b"".join(run.outputs.examples), layout.dtype)
    (example,) = examples[examples["label"] == 1]
    found: np.void = example
    return found


def test_they_are_scored_and_carried_along() -> None:
    run = run_of()
    (event,) = run.feed(charge("c1", START, ip_risk=0.25, shop="toys", other=[1]))
    assert (event["ip_risk"], event["shop"], event["other"]) == (0.25, "toys", [1])
    (vector,) = vectors(run)
    assert vector.shape == (len(features_of(run.settings)),)
    assert vector[-3] == 0.25
    assert vector[-2] > 0
    assert vector[-1] == 0


def test_reasons_say_their_texts() -> None:
    run = run_of()
    (event,) = run.feed(charge("c1", START, ip_risk=7.25, shop='toys "R"'))
    texts = {reason["feature"]: reason["text"] for reason in event["reasons"]}
    assert texts == {
        "plan": "plan is missing",
        "shop": 'the "shop" sells toys "R"',
        "ip_risk": "an IP risk of 7.2",
    }
    assert {r["feature"]: r["value"] for r in event["reasons"]}["ip_risk"] == 7.25


def test_a_missing_number_is_a_reason_in_words() -> None:
    (event,) = run_of().feed(charge("c1", START, plan="gold"))
    texts = {reason["feature"]: reason["text"] for reason in event["reasons"]}
    assert texts == {
        "plan": "plan: gold", "shop": "shop is missing", "ip_risk": "ip_risk is missing"
    }  # fmt: skip


def test_a_duplicate_is_answered_as_its_original() -> None:
    run = run_of()
    (first,) = run.feed(charge("c1", START, ip_risk=7.25, shop="toys"))
    run.commit()
    (again,) = run.feed(charge("c1", START + 60.0, ip_risk=1.0, shop="toys"))
    assert again["duplicate"]
    assert again["reasons"] == first["reasons"]


def test_what_was_scored_is_learned_from() -> None:
    run = run_of()
    run.feed(charge("c1", START, ip_risk=0.25, shop="toys", plan="gold"))
    run.commit()
    run.restore()
    example = learned(run)
    assert example["vector"].tobytes() == run.outputs.vectors[0]


def test_kept_charges_are_read_by_name_when_signals_change() -> None:
    """One that is new is missing in them, one that is gone is dropped."""
    run = run_of()
    run.feed(charge("c1", START, ip_risk=0.25, shop="toys"))
    (kept,) = run.state(PENDING).values()
    later = Run(signals=signals_of({"age": "number", "shop": "category"}))
    run.settings = later.settings
    run.restart()
    example = learned(run)
    before = np.frombuffer(kept, pending_layout(features_of(run_of().settings)).dtype)[0]["vector"]
    assert np.isnan(example["vector"][-2])
    assert example["vector"][-1] == before[-2]
    np.testing.assert_array_equal(example["vector"][:-2], before[:-3])


def test_as_many_as_there_may_be_at_once() -> None:
    kinds = ("number", "category")
    signals = signals_of({f"s{n}": kinds[n % 2] for n in range(SIGNALS_MAX)})
    run = Run(signals=signals)
    run.scorer = Pointing(5)
    fields: dict[str, object] = {signal.name: n for n, signal in enumerate(signals)}
    (event,) = run.feed(charge("c1", START, **fields))
    assert [reason["text"] for reason in event["reasons"]] == [
        "s63: 63", "s62: 62", "s61: 61", "s60: 60", "s59: 59"
    ]  # fmt: skip
    assert learned(run)["vector"].tobytes() == run.outputs.vectors[0]


@pytest.mark.parametrize(("field", "value"), [("ip_risk", "high"), ("shop", {"name": "toys"})])
def test_one_whose_type_changes_in_mid_stream_is_missing_from_then_on(
    field: str, value: object
) -> None:
    run = run_of()
    usual: dict[str, object] = {"ip_risk": 0.5, "shop": "toys"}
    before, after = run.feed(
        charge("c1", START, **usual), charge("c2", START + 1.0, **usual | {field: value})
    )
    assert (before[field], after[field]) == (usual[field], value)
    texts = {reason["text"] for reason in after["reasons"]}
    assert f"{field} is missing" in texts


def test_one_that_stops_coming_is_found_as_a_shift() -> None:
    run = run_of()
    for day in range(30):
        fields: dict[str, object] = {"ip_risk": 0.5} if day < 20 else {}
        batch = [
            charge(f"c{day}_{n}", START + day * DAY + 60.0 * n, card=f"k{n % 97}", **fields)
            for n in range(CHARGES_MIN)
        ]
        run.feed(*batch)
    shifts = {shift.quantity.name for shift in run.shifts}
    assert "ip_risk_missing" in shifts
    assert not {"shop_missing", "plan_missing", "ip_risk"} & shifts


def test_kept_records_of_no_signals_are_as_before() -> None:
    run = Run()
    run.feed(charge("c1", START))
    (kept,) = run.state(PENDING).values()
    layout = pending_layout(features_of(run.settings))
    assert len(kept) == layout.dtype.itemsize
    assert Reader(layout, {}).rows([kept])["created"] == [START]


def test_the_name_of_a_feature_is_refused() -> None:
    with pytest.raises(SettingsError, match="signals: merchant_age: is the name of a feature"):
        Run(signals=signals_of({"merchant_age": "number"}))
