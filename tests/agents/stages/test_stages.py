"""Both stages over random streams, against brute force and against themselves, cut otherwise."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson
import pytest
from msgspec.structs import replace

from schemas.charge import Charge
from schemas.method_table import PaymentMethod
from streams.events.rows import charge_rows
from streams.features.entities import FEATURE_NAMES
from streams.simulator import Simulation
from streams.state.tables import (
    CHARGES,
    DISPUTED,
    METHOD_CHARGES,
    METHOD_PENDING,
    PENDING,
    SEEN,
)
from tests.agents.stages.counting_order import INDEX_DAYS, CountingOrder
from tests.agents.stages.stages import DAY, HOUR, Run, decode, message, part, simulated
from tests.streams.events.random_events import RandomEvents, RandomOutcomes
from tests.streams.features.brute_force import BruteForce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.dispute import Dispute
    from streams.events.batch import Batch
    from tests.streams.features.brute_past import AnyEvent, Event

RETENTION_DAYS, HORIZON_DAYS, WAIT_HOURS = 60.0, 20.0, 100.0
OF_DEBITS = PaymentMethod(name="sepa_debit", card_fields=(), label_horizon_days=35.0,
                          dispute_retention_days=100.0)  # fmt: skip
RULES: dict[str, object] = {
    "label_horizon_days": HORIZON_DAYS, "dispute_retention_days": RETENTION_DAYS,
    "negative_rate": 1.0, "orphan_wait_hours": WAIT_HOURS, "payment_methods": (OF_DEBITS,),
}  # fmt: skip
IN_HOURS: dict[str, object] = {
    "label_horizon_days": 0.2,
    "payment_methods": (replace(OF_DEBITS, label_horizon_days=0.3),),
}
SEEDS = range(3)


def kept_tables(run: Run) -> dict[bytes, bytes]:
    """Return all that a run keeps, save what nothing can ask for any more.

    When exactly that is dropped depends on the commits.
    """
    retention_s = run.settings.dispute_retention_days * DAY
    first = {
        PENDING: (run.stream_time - retention_s) // DAY,
        SEEN: run.stream_time // DAY - 1,
        DISPUTED: run.stream_time // retention_s - 1,
        CHARGES: (run.stream_time - retention_s) // (INDEX_DAYS * DAY),
    }
    assert OF_DEBITS.dispute_retention_days is not None
    of_debits_s = OF_DEBITS.dispute_retention_days * DAY
    first[METHOD_PENDING] = (run.stream_time - of_debits_s) // DAY
    first[METHOD_CHARGES] = (run.stream_time - of_debits_s) // (INDEX_DAYS * DAY)
    start = {table: max(int(period), 0).to_bytes(4, "big") for table, period in first.items()}
    return {
        key: value
        for key, value in run.state().items()
        if key[1 + 4 * (key[:1] in (METHOD_PENDING, METHOD_CHARGES)) :] >= start.get(key[:1], b"")
    }


def assert_same(run: Run, other: Run) -> None:
    for one, two in zip(run.outputs[:-1], other.outputs[:-1], strict=True):
        assert one == two
    # Either stage rejects, and a batch goes through the one before the other.
    assert sorted(run.outputs.rejected) == sorted(other.outputs.rejected)
    assert kept_tables(run) == kept_tables(other)


def run_through_trouble(batch: Batch, seed: int, **settings: object) -> Run:
    """Cut a stream at random; commit, abort, crash and lose the disk now and then."""
    random = Random(seed)
    run = Run(**settings)
    size = random.choice([1, 10, 100])
    position = committed = 0
    while position < len(batch.cards):
        stop = position + random.randint(1, size)
        run.process(part(batch, position, stop))
        position = stop
        trouble = random.random()
        if trouble < 0.3:
            run.commit()
            committed = position
        elif trouble < 0.4:
            random.choice([run.roll_back, run.restart, run.restore])()
            position = committed
    run.pause()
    return run


def in_their_order(
    events: Sequence[Event], retention_days: float, of_debits: float
) -> CountingOrder:
    """Return the order in which a stream counts."""
    own: dict[str | None, float] = {"sepa_debit": of_debits * DAY}
    order = CountingOrder(WAIT_HOURS * HOUR, DAY, retention_days * DAY, own)
    order.take(events)
    order.pause()
    return order


def without_doubt(events: Sequence[Event]) -> list[Event]:
    """Leave out events that come too late to be known as the duplicates that they may be."""
    now, known = 0.0, dict[tuple[object, ...], list[float]]()
    clear: list[Event] = []
    for event in events:
        window_s = DAY if isinstance(event, Charge) else RETENTION_DAYS * DAY
        same = known.setdefault(_identity(event), [])
        near = [created for created in same if abs(created - event.created) <= window_s]
        if any(created + window_s < now for created in near):
            continue
        same.append(event.created)
        now = max(now, event.created)
        clear.append(event)
    return clear


def _identity(event: Event) -> tuple[object, ...]:
    """Give what an event has in common with its duplicates."""
    if isinstance(event, Charge):
        return event.card, event.id
    return event.card, event.charge, event.is_fraud


def with_late_charges(events: Sequence[Event], seed: int) -> list[Event]:
    """Let some charges come a little later, some of them after their disputes."""
    random = Random(seed)
    delays = [random.randint(5, 30) if random.random() < 0.2 else 0 for _ in events]
    late = [isinstance(event, Charge) * delay for event, delay in zip(events, delays, strict=True)]
    order = sorted(range(len(events)), key=lambda place: (place + late[place], place))
    return [events[place] for place in order]


def with_ascending_ids(events: Sequence[Event]) -> list[Event]:
    """Leave out charges that are older than another of their id: a dispute means the newest."""
    newest: dict[tuple[str, str], float] = {}
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Charge):
            if event.created < newest.get((event.card, event.id), 0.0):
                continue
            newest[event.card, event.id] = event.created
        kept.append(event)
    return kept


@cache
def stream(kind: str, seed: int) -> Batch:
    if kind == "simulated":
        simulation = Simulation(
            seed=seed, cards=60, merchants=12, days=2, charges_per_day=600, fraud_rate=0.05,
            dispute_delay_scale=0.02, late_share=0.1, duplicate_share=0.05,
            other_dispute_rate=0.02,
        )  # fmt: skip
        return decode(simulated(simulation))
    pace = {"months": 1.0, "hours": 1e-3}[kind]
    events = without_doubt(with_late_charges(RandomEvents(seed, pace=pace).take(800), seed))
    return decode([message(event) for event in with_outcomes(events, seed)])


def with_outcomes(events: Sequence[Event], seed: int) -> list[AnyEvent]:
    """Put outcomes behind some of the events; early, late, twice and contradictory ones."""
    outcomes = RandomOutcomes(seed)
    return [each for event in events for each in (event, *outcomes.behind(event))]


@pytest.mark.parametrize("actions", ["enforced", "advisory"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["months", "hours", "simulated"])
def test_neither_cuts_nor_failures_make_a_difference(kind: str, seed: int, actions: str) -> None:
    """With outcomes, and with charges that are stopped, let through or taken for frauds."""
    batch = stream(kind, seed)
    rules = (
        RULES | ({} if kind == "months" else IN_HOURS) | {"actions": actions, "holdout_share": 0.3}
    )
    at_once = Run(**rules)
    at_once.process(part(batch, 0, len(batch.cards)))
    at_once.pause()
    assert len(at_once.outputs.examples) > 300
    is_enforced = actions == "enforced"
    assert any("holdout" in event for event in at_once.outputs.events()) == is_enforced
    assert (len(at_once.outputs.imputed()) > 0) == is_enforced
    assert_same(run_through_trouble(batch, seed, **rules), at_once)


class These:
    """Some charges, and none that merely equals one of them, as one that is sent again does."""

    def __init__(self, charges: Sequence[Charge]) -> None:
        self._charges = charges

    def __contains__(self, other: object) -> bool:
        return any(charge is other for charge in self._charges)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_vectors_scored_equal_brute_force(seed: int) -> None:
    events = with_ascending_ids(RandomEvents(seed).take(400))
    table = (PaymentMethod(name="sepa_debit", card_fields=(), dispute_retention_days=180.0),)
    # Beyond the days that features look back.
    rules = RULES | {"dispute_retention_days": 180.0, "payment_methods": table}
    counted = in_their_order(events, 180.0, 180.0).counted
    run = run_through_trouble(decode([message(event) for event in events]), seed, **rules)
    scored = run.outputs.events()
    of_charges = [event for event in counted if isinstance(event, Charge)]
    stopped = [
        charge
        for charge, event in zip(of_charges, scored, strict=True)
        if event["action"] != "allow" and "duplicate" not in event
    ]
    blocked = [
        charge
        for charge, event in zip(of_charges, scored, strict=True)
        if event["action"] == "block" and "duplicate" not in event
    ]
    assert len(stopped) > len(blocked) > 5
    oracle = BruteForce(
        horizon_s=20.0 * DAY, stopped=These(stopped), blocked=These(blocked), kept_s=180.0 * DAY
    )
    expected = [oracle.observe(event) for event in counted]
    charges = [o for o, event in zip(expected, counted, strict=True) if isinstance(event, Charge)]
    assert ["duplicate" in event for event in scored] == [o.is_duplicate for o in charges]
    for vector, observed in zip(run.outputs.vectors, charges, strict=True):
        values = [observed.features[name] for name in FEATURE_NAMES]
        np.testing.assert_allclose(np.frombuffer(vector, np.float32), values, rtol=2e-5, atol=1e-6)


class Label(NamedTuple):
    """One example: when it is known (to the millisecond), and what."""

    known_at: float
    label: int
    charge: bytes
    charged_at: float


class Known:
    """A charge that counts, and what is known of it."""

    def __init__(self, charge: Charge, ripe_at: float) -> None:
        self.charge = charge
        self.ripe_at = ripe_at
        self.is_positive = self.is_settled = False


class Labels:
    """The contract's rules about labels, event by event, from lists.

    Attributes
    ----------
    examples
        In the order in which they come to be known.
    rejected
        Ids of the disputes whose charge was kept no more.
    """

    def __init__(self) -> None:
        self.examples: list[Label] = []
        self.rejected: list[str] = []
        self._now = 0.0
        self._known: list[Known] = []

    def take(self, event: Event, *, is_duplicate: bool) -> None:
        if not isinstance(event, Charge):
            self._take_dispute(event)
            return
        self._now = max(self._now, event.created)
        self._let_time_pass()
        if not is_duplicate:
            self._known.append(Known(event, max(_silent_until(event), self._now)))

    def _let_time_pass(self) -> None:
        ripe = [k for k in self._known if k.ripe_at < self._now and not k.is_settled]
        for known in sorted(ripe, key=lambda known: known.ripe_at):
            known.is_settled = True
            self._learn(known, 0, known.ripe_at)

    def _take_dispute(self, dispute: Dispute) -> None:
        candidates = [
            known
            for known in self._known
            if (known.charge.card, known.charge.id) == (dispute.card, dispute.charge)
            and known.charge.created // DAY >= (self._now - _kept_for_s(known.charge)) // DAY
        ]
        if candidates:
            self._dispute(max(candidates, key=lambda known: known.charge.created), dispute)
        else:
            self.rejected.append(dispute.id)

    def _dispute(self, known: Known, dispute: Dispute) -> None:
        if dispute.reason == "fraudulent" and not known.is_positive:
            known.is_positive = True
            if self._now <= _silent_until(known.charge):
                known.is_settled = True
            self._learn(known, 1, self._now)

    def _learn(self, known: Known, label: int, known_at: float) -> None:
        charge = charge_rows([known.charge])["charge"].tobytes()
        self.examples.append(Label(round(known_at, 3), label, charge, known.charge.created))


def _silent_until(charge: Charge) -> float:
    days = 35.0 if charge.payment_method == "sepa_debit" else HORIZON_DAYS
    return charge.created + days * DAY


def _kept_for_s(charge: Charge) -> float:
    return (100.0 if charge.payment_method == "sepa_debit" else RETENTION_DAYS) * DAY


def in_order(examples: Sequence[Label]) -> list[list[Label]]:
    """Group what is known at the same moment, where the order of the good charges is free."""
    return [sorted(same) for _, same in groupby(examples, lambda each: each[:2])]


@pytest.mark.parametrize("seed", range(4))
def test_examples_and_rejects_are_those_of_the_contract(seed: int) -> None:
    random_events = RandomEvents(seed, cards=5, merchants=6, pace=0.3).take(700)
    events = without_doubt(with_late_charges(random_events, seed))
    order = in_their_order(events, RETENTION_DAYS, 100.0)
    oracle, expected = BruteForce(), Labels()
    for event in order.counted:
        expected.take(event, is_duplicate=oracle.at_card(event).is_duplicate)
    rules = RULES | {"actions": "advisory"}
    run = run_through_trouble(decode([message(event) for event in events]), seed, **rules)
    examples = [
        Label(round(known_at, 3), label, charge.tobytes(), charged_at)
        for known_at, label, charge, charged_at in zip(
            *(run.outputs.learned()[name].tolist() for name in ("labelled_at", "label")),
            run.outputs.learned()["charge"],
            run.outputs.learned()["charged_at"].tolist(),
            strict=True,
        )
    ]
    assert in_order(examples) == in_order(expected.examples)
    rejected = [orjson.loads(copy.value or b"")["id"] for copy in run.outputs.rejected]
    given_up = [dispute.id for dispute in order.given_up]
    assert Counter(rejected) == Counter(expected.rejected + given_up)
    assert Counter(example.label for example in examples)[1] > 20
    assert len(rejected) > 0
    assert order.claims > 0
