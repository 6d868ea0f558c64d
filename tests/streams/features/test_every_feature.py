"""What every feature has to pass, whatever it computes."""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pytest

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.events.rows import CATEGORY_CODES
from streams.features.card_record import CARD
from streams.features.entities import (
    CARDS,
    CHARGE_FEATURES,
    FEATURES,
    MERCHANTS,
    SHARED_WORDS,
)
from streams.features.merchant_record import MERCHANT
from streams.features.shared import shared_features
from streams.features.shared_record import SHARED
from tests.streams.events.random_events import (
    DAY,
    RandomEvents,
    cut,
    some_charges,
    with_outcomes,
)
from tests.streams.features.brute_force import BruteForce
from tests.streams.features.kernels import Kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.features.spec import Feature
    from tests.streams.features.brute_past import AnyEvent

SEED = 23
EVENTS = 600

CARD_CLOCKS = ("clock_s", "outcome_clock_s")
MERCHANT_CLOCKS = ("clock_s", "dispute_clock_s", "stop_clock_s", "outcome_clock_s")

Vectors = npt.NDArray[np.float32]
Way = Literal["again", "one by one", "all at once", "restored", "duplicated"]

every_feature = pytest.mark.parametrize(
    ("column", "feature"), list(enumerate(FEATURES)), ids=[feature.name for feature in FEATURES]
)


@cache
def stream() -> tuple[list[AnyEvent], list[float | None]]:
    """A random stream, and when the charge of each dispute and outcome was made."""
    events = with_outcomes(RandomEvents(SEED, cards=4, merchants=30).take(EVENTS), SEED)
    oracle = BruteForce()
    return events, [oracle.observe(event).charged_at for event in events]


def new_kernels() -> Kernels:
    """Those in which some of the stream's charges are stopped."""
    stopped = some_charges(stream()[0], SEED)
    return Kernels(stopped=stopped, blocked=stopped)


def run(
    batches: Sequence[Sequence[AnyEvent]],
    charged_at: Sequence[float | None],
    *,
    restore: bool = False,
) -> tuple[Vectors, npt.NDArray[np.bool_], Kernels]:
    kernels, results, start = new_kernels(), [], 0
    for batch in batches:
        results.append(kernels.count(batch, charged_at[start : start + len(batch)]))
        start += len(batch)
        if restore:
            kernels.save_and_restore()
    vectors = np.concatenate([result.vectors for result in results])
    return vectors, np.concatenate([result.duplicates for result in results]), kernels


@cache
def vectors_of(way: Way | Literal["plain"]) -> Vectors:
    """The vectors of the stream, computed in one of the ways that must make no difference."""
    events, charged_at = stream()
    batches = {
        "one by one": [[event] for event in events],
        "all at once": [events],
    }.get(way) or cut(events, SEED)
    if way != "duplicated":
        return run(batches, charged_at, restore=way == "restored")[0]
    # Every event once more, at once: what came before it is the same, so a charge is as it was.
    twice = [event for event in events for _ in range(2)]
    known = [time for time in charged_at for _ in range(2)]
    vectors, duplicates, _ = run(cut(twice, SEED), known)
    assert duplicates[1::2].all()
    return vectors[::2]


@every_feature
def test_is_named_and_documented(column: int, feature: Feature) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", feature.name)
    assert [other.name for other in FEATURES].count(feature.name) == 1
    beginnings = SHARED_WORDS if feature.scope == "entity" else (feature.scope,)
    is_of_scope = any(feature.name.startswith(f"{name}_") for name in beginnings)
    assert feature.scope == "charge" or is_of_scope
    assert feature.unit
    assert feature.transform in {"none", "log1p", "signed_log", "category"}
    values = vectors_of("plain")[:, column]
    for value in (float(values.min()), float(values.max())):
        text = feature.text.format(value=value)
        assert text == text.strip() != ""
        assert "nan" not in text
    if "{" in feature.text:
        assert feature.text.format(value=1.0) != feature.text.format(value=9.0)


def test_come_in_the_order_of_their_scopes() -> None:
    of_entities = [shared_features(kind, words) for kind, words in SHARED_WORDS.items()]
    own = (*CHARGE_FEATURES, *CARDS.features, *MERCHANTS.features)
    assert (*own, *chain.from_iterable(of_entities)) == FEATURES
    for features, scope in (
        (CHARGE_FEATURES, "charge"), (CARDS.features, "card"), (MERCHANTS.features, "merchant"),
    ):  # fmt: skip
        assert {feature.scope for feature in features} == {scope}


@cache
def first_charge() -> Vectors:
    """The first charge of a new card at a new merchant, without any optional field."""
    charge = Charge("charge_1", 1.7e9, 1234, "usd", "card_1", "merchant_1")
    first: Vectors = run([[charge]], [None])[0][0]
    return first


@every_feature
def test_missing_value_is_the_documented_one(column: int, feature: Feature) -> None:
    value = float(first_charge()[column])
    if feature.missing == "never":
        return
    if feature.missing == "its own amount":
        assert value == pytest.approx(12.34)
        return
    number = re.match(r"[0-9.]+", feature.missing)
    assert number
    expected = float(number[0]) * (DAY if feature.missing.endswith(" days") else 1.0)
    # Cards are counted by a sketch, and some numbers are written with two digits.
    assert value == pytest.approx(expected, rel=0.02)


@every_feature
def test_values_suit_unit_and_transform(column: int, feature: Feature) -> None:
    values = vectors_of("plain")[:, column]
    assert np.isfinite(values).all()
    if feature.unit == "flag":
        assert set(values.tolist()) <= {0.0, 1.0}
    if feature.unit == "share":
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    if feature.transform == "log1p":
        assert values.min() >= 0.0
    assert (feature.unit == "category") == (feature.transform == "category")
    if feature.unit == "category":
        assert values.min() >= 0.0
        assert values.max() < CATEGORY_CODES
        assert (values == np.floor(values)).all()


WAYS: tuple[Way, ...] = ("again", "one by one", "all at once", "restored", "duplicated")


@every_feature
def test_is_the_same_bit_for_bit(column: int, feature: Feature) -> None:
    """However a stream is cut, saved and restored between its batches, or sent twice."""
    expected = vectors_of("plain")[:, column].view(np.uint32)
    for way in WAYS:
        values = vectors_of(way)[:, column].view(np.uint32)
        np.testing.assert_array_equal(values, expected, f"{feature.name} {way}")


@cache
def extremes() -> Vectors:
    """The largest and smallest amounts and times, from the beginning of time to the year 5138."""
    events: list[AnyEvent] = []
    for number, created in enumerate((0.0, 1e-9, 1e5, 1.7e9, 1.7e9 - 1e8, 2.0**32, 1e11, 0.0)):
        for amount in (1, 2**53 - 1, 1, 2**53 - 1):
            name = f"{number}_{len(events)}"
            charge = Charge(f"c{name}", created, amount, "kwd", "card", "merchant", device=name)
            fraud = Dispute(f"d{name}", charge.id, "card", "merchant", created, "fraudulent")
            other = Dispute(f"o{name}", charge.id, "card", "merchant", 1e11 - created, "general")
            about = (charge.id, "card", "merchant", created)
            passed = Outcome(f"p{name}", *about, "challenge_passed")
            won = Outcome(f"w{name}", *about, "dispute_won")
            declined = Outcome(f"n{name}", *about, "declined")
            blocked = Outcome(f"b{name}", *about[:3], 1e11 - created, "blocked")
            events += [charge, fraud, other, passed, *([won] if number % 2 else [])]
            events += [declined, blocked]
    charged_at = [None if isinstance(event, Charge) else event.created for event in events]
    return run([events], charged_at)[0]


@every_feature
def test_is_finite_at_the_extremes(column: int, feature: Feature) -> None:
    assert np.isfinite(extremes()[:, column]).all(), feature.name


@cache
def start() -> Vectors:
    events, charged_at = stream()
    return run([events[: EVENTS // 2]], charged_at)[0]


@every_feature
def test_looks_at_nothing_that_comes_later(column: int, feature: Feature) -> None:
    """The start of a stream has the values it has within the whole, in one batch."""
    whole = vectors_of("all at once")[: EVENTS // 2, column]
    np.testing.assert_array_equal(start()[:, column], whole, feature.name)


def test_memory_is_bounded() -> None:
    """One record of fixed size a key, whatever happens; and no record is touched but its own."""
    events, charged_at = stream()
    kernels = new_kernels()
    rng = np.random.default_rng(SEED)
    for records in (kernels.cards, kernels.merchants):
        raw = rng.integers(0, 256, records.nbytes, np.uint8)
        records[:] = raw.view(records.dtype)
        records[:40] = np.zeros((), records.dtype)
    others = kernels.cards[40:].tobytes(), kernels.merchants[40:].tobytes()
    kernels.count(events, charged_at)
    assert (kernels.cards[40:].tobytes(), kernels.merchants[40:].tobytes()) == others
    assert CARD.itemsize <= 1632
    assert MERCHANT.itemsize <= 3100
    assert SHARED.itemsize <= 800


@pytest.mark.parametrize("record", [CARD, MERCHANT, SHARED])
def test_records_have_no_gaps(record: np.dtype[np.void]) -> None:
    """What is in a gap is not copied with a record, so equal ones had different bytes."""
    assert record.names is not None
    assert sum(record[name].itemsize for name in record.names) == record.itemsize


def test_duplicate_changes_no_record() -> None:
    kernels = new_kernels()
    for event, time in zip(*stream(), strict=True):
        kernels.count([event], [time])
        before = kernels.cards[:40].tobytes(), kernels.merchants[:40].tobytes()
        assert kernels.count([event], [time]).duplicates.all()
        assert (kernels.cards[:40].tobytes(), kernels.merchants[:40].tobytes()) == before


def test_late_events_move_no_clock_back() -> None:
    events, charged_at = stream()
    kernels, clocks = new_kernels(), [0.0]
    for event, time in zip(events, charged_at, strict=True):
        kernels.count([event], [time])
        of_cards = (kernels.cards[name] for name in CARD_CLOCKS)
        of_merchants = (kernels.merchants[name] for name in MERCHANT_CLOCKS)
        clocks.append(float(sum(map(np.sum, (*of_cards, *of_merchants)))))
    assert (np.diff(clocks) >= 0).all()
