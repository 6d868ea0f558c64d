"""The card stage: what counts, what is a duplicate, and what goes on to the merchant."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.stages.card import CardStage
from streams.events.rows import BLOCK_KINDS
from streams.features.card_record import CARD, LATEST_CHARGES
from streams.features.entities import CARDS
from streams.state.store import KeyRange, MemoryStore
from streams.state.tables import DISPUTED, SEEN, TaskState
from tests.agents.stages.stages import DAY, HOUR, START, charge, decode, dispute, message
from tests.streams.events.random_events import RandomEvents, with_outcomes
from tests.streams.features.brute_force import BruteForce
from tests.streams.features.kernels import event_rows

if TYPE_CHECKING:
    from streams.events.batch import Batch
    from tests.agents.stages.stages import Message

NAMES = [feature.name for feature in CARDS.features]
EVERYTHING = KeyRange(b"", b"\xff")


class Cards:
    """A card stage above a store."""

    def __init__(
        self,
        dedup_window_s: float = DAY,
        retention_s: float = 180 * DAY,
        wait_s: float = DAY,
        allowance_s: float = HOUR,
        capacity: int = 1000,
    ) -> None:
        self.store = MemoryStore()
        self._settings = (dedup_window_s, retention_s, wait_s, allowance_s, capacity)
        self.restart()

    def restart(self) -> None:
        self._state = TaskState(self.store)
        self._stage = CardStage(self._state, *self._settings)

    def feed(self, *messages: Message) -> Batch:
        return self._stage.process(decode(messages), is_paused=True).frames

    def duplicates(self, *messages: Message) -> list[bool]:
        return [bool(flag) for flag in self.feed(*messages).rows["event"]["duplicate"]]

    def commit(self) -> dict[bytes, bytes]:
        self._stage.flush()
        self._state.commit(0)
        return dict(self.store.scan(EVERYTHING))


def value(frames: Batch, name: str) -> list[float]:
    features: list[float] = frames.rows["card_features"][:, NAMES.index(name)].tolist()
    return features


def seconds_apart(count: int, **fields: object) -> list[Message]:
    return [charge(f"charge_{i}", START + i, **fields) for i in range(count)]


def test_a_frame_carries_its_event_in_order_with_key_and_tail() -> None:
    messages = [
        charge("a", START, card="card_2", order_number=7),
        dispute("a", START + 2, card="card_2", merchant="shop_9"),
        charge("b", START + 3, merchant="shop_ü"),
    ]
    batch = decode(messages)
    expected = batch.rows.copy()
    frames = Cards().feed(*messages)
    events = frames.rows["event"]
    assert events[[0, 2]].tobytes() == expected[[0, 2]].tobytes()
    for name in ("kind", "created", "charge", "card"):
        assert (events[1][name] == expected[1][name]).all()
    assert frames.merchants == [b"shop_1", b"shop_1", "shop_ü".encode()]
    assert events[1]["merchant"] == events[0]["merchant"]
    assert events[1]["charged_at"] == START
    assert frames.cards == [b"card_2", b"card_2", b"card_1"]
    assert frames.tails == batch.tails
    assert b'"order_number":7' in frames.tails[0]
    assert not frames.rows["card_features"][1].any()
    assert value(frames, "card_count_24h") == [1.0, 0.0, 1.0]


def test_cards_do_not_see_each_other() -> None:
    cards = Cards()
    frames = cards.feed(*(charge(f"c{i}", START + i, card=f"card_{i % 3}") for i in range(9)))
    assert value(frames, "card_charges_before") == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("commits", [False, True])
def test_a_duplicate_is_marked_and_changes_nothing(commits: bool) -> None:
    once, twice = Cards(), Cards()
    first, second = charge("a", START), charge("b", START + 60, amount=9000)
    before = [once.feed(first), once.feed(second)][1]
    twice.feed(first)
    if commits:
        twice.commit()
        twice.restart()
    assert twice.duplicates(first, second, first, second) == [True, False, True, True]
    again = twice.feed(second)
    assert twice.commit() == once.commit()
    # What it would have had as a new charge: the second of its amount.
    assert value(again, "card_charges_before") == [2.0]
    assert value(again, "card_count_10m") == [3.0]
    assert value(before, "card_charges_before") == [1.0]


@pytest.mark.parametrize(
    ("apart_s", "is_duplicate"),
    [(0.0, True), (DAY - 0.5, True), (DAY, True), (DAY + 0.5, False), (-DAY, True)],
)
@pytest.mark.parametrize("between", [0, LATEST_CHARGES + 3])
def test_the_window_decides_what_is_a_duplicate(
    apart_s: float, is_duplicate: bool, between: int
) -> None:
    cards = Cards()
    cards.feed(charge("a", START))
    cards.feed(*(charge(f"other_{i}", START + 10 + i) for i in range(between)))
    assert cards.duplicates(charge("a", START + apart_s)) == [is_duplicate]


def test_a_new_charge_under_an_old_id_counts_and_has_duplicates_of_its_own() -> None:
    cards = Cards()
    cards.feed(charge("a", START))
    later = charge("a", START + 2 * DAY)
    frames = cards.feed(later, later)
    assert frames.rows["event"]["duplicate"].tolist() == [0, 1]
    assert value(frames, "card_charges_before") == [1.0, 2.0]


@pytest.mark.parametrize("cut", [1, 7, 1000])
@pytest.mark.parametrize("restarts", [False, True])
def test_no_duplicate_is_forgotten_by_a_card_that_is_busy(cut: int, restarts: bool) -> None:
    """A hundred charges of a card in a day, each sent again at random, some from long ago."""
    random = Random(cut)
    sent: list[Message] = []
    expected: list[bool] = []
    for i in range(100):
        sent.append(charge(f"charge_{i}", START + i * 600))
        expected.append(False)
        for _ in range(random.randrange(3)):
            again = random.randrange(i + 1)
            sent.append(charge(f"charge_{again}", START + again * 600))
            expected.append(True)
    cards, duplicates = Cards(), list[bool]()
    for start in range(0, len(sent), cut):
        duplicates.extend(cards.duplicates(*sent[start : start + cut]))
        cards.commit()
        if restarts:
            cards.restart()
    assert duplicates == expected
    (record,) = [v for k, v in cards.commit().items() if k.endswith(b"card_1")]
    assert np.frombuffer(record, CARD)["charges"][0] == 100


@pytest.mark.parametrize("restarts", [False, True])
def test_ids_are_forgotten_when_they_can_have_no_duplicates_any_more(restarts: bool) -> None:
    """A busy card, of which every second charge is disputed: its ids are those of two windows."""
    cards, kept = Cards(dedup_window_s=HOUR, retention_s=6 * HOUR), list[tuple[int, int]]()
    for hour in range(60):
        charges = [charge(f"{hour}-{i}", START + hour * HOUR + i) for i in range(100)]
        disputes = [dispute(f"{hour}-{i}", START + hour * HOUR + 100 + i) for i in range(50)]
        assert not any(cards.duplicates(*charges, *disputes))
        assert all(cards.duplicates(*charges, *disputes))
        stored = cards.commit()
        charged, disputed = (sum(key[:1] == t for key in stored) for t in (SEEN, DISPUTED))
        kept.append((charged, disputed))
        if restarts:
            cards.restart()
    assert max(charged for charged, _ in kept) <= 4 * 100  # two windows, and what is to come
    assert max(disputed for _, disputed in kept) <= 14 * 50


@pytest.mark.parametrize("ahead_s", [0.0, HOUR])
def test_a_clock_that_is_ahead_makes_no_duplicate_forgotten(ahead_s: float) -> None:
    """Up to a whole window later, when another card's producer dates its charges ahead."""
    cards = Cards(dedup_window_s=4 * HOUR)
    for hour in range(24):
        now = START + hour * HOUR
        cards.feed(charge(f"ahead {hour}", now + ahead_s, card="card_2"))
        cards.commit()
        for before in range(1, min(hour, 4) + 1):  # the card's clock is still an hour back
            duplicate = charge(f"{hour - before}-0", now - before * HOUR)
            assert cards.duplicates(duplicate) == [True], f"hour {hour}, {before} hours later"
        cards.feed(*(charge(f"{hour}-{i}", now + i) for i in range(LATEST_CHARGES + 2)))


def test_a_dispute_counts_once_of_each_kind() -> None:
    cards = Cards()
    disputes = [
        dispute("a", START + HOUR),
        dispute("a", START + HOUR),
        dispute("a", START + 2 * HOUR, id="a chargeback after a warning"),
        dispute("a", START + 3 * HOUR, id="other", reason="product_not_received"),
        dispute("a", START + 4 * HOUR, id="another", reason="general"),
        dispute("b", START + 5 * HOUR),
    ]
    cards.feed(charge("b", START))
    assert cards.duplicates(charge("a", START), *disputes[:3]) == [False, False, True, True]
    cards.commit()
    cards.restart()
    assert cards.duplicates(*disputes[3:]) == [False, True, False]
    assert cards.duplicates(disputes[0]) == [True]
    frames = cards.feed(charge("c", START + DAY))
    assert value(frames, "card_fraud_disputes") == [2.0]
    assert value(frames, "card_other_disputes") == [1.0]


def test_a_dispute_counts_from_its_own_time_on() -> None:
    cards = Cards()
    cards.feed(charge("a", START), dispute("a", START + 10 * DAY))
    frames = cards.feed(charge("late", START + 9 * DAY), charge("now", START + 11 * DAY))
    assert value(frames, "card_fraud_disputes") == [0.0, 1.0]
    assert value(frames, "card_since_fraud_dispute") == [90 * DAY, DAY]


@pytest.mark.parametrize("seed", range(3))
def test_a_small_cache_makes_no_difference(seed: int) -> None:
    random = Random(seed)
    messages = [
        charge(f"c{random.randrange(300)}", START + i, card=f"card_{random.randrange(40)}")
        for i in range(600)
    ]
    large, small = Cards(), Cards(capacity=16)
    expected = large.feed(*messages)
    frames = [small.feed(*messages[start : start + 12]) for start in range(0, 600, 12)]
    assert b"".join(f.rows.tobytes() for f in frames) == expected.rows.tobytes()
    assert small.commit() == large.commit()


def test_what_is_not_committed_can_be_taken_back() -> None:
    cards, undisturbed = Cards(), Cards()
    for stage in (cards, undisturbed):
        stage.feed(*seconds_apart(20))
        stage.commit()
    cards.feed(*seconds_apart(60), dispute("charge_3", START + HOUR))
    cards.restart()
    assert cards.duplicates(*seconds_apart(21)) == [True] * 20 + [False]
    undisturbed.feed(*seconds_apart(21))
    assert cards.commit() == undisturbed.commit()


@pytest.mark.parametrize("seed", range(3))
def test_tells_when_a_charge_was_found_to_be_a_fraud_or_blocked(seed: int) -> None:
    """By what came first, whatever the times of disputes and outcomes, as the reference has it."""
    events = with_outcomes(RandomEvents(seed, cards=5, merchants=6, pace=0.01).take(2000), seed)
    by_row = {said(row): event for row, event in zip(event_rows(events), events, strict=True)}
    oracle, found = BruteForce(), Counter[bool]()
    for row in Cards().feed(*map(message, events)).rows["event"]:
        observed = oracle.at_card(by_row[said(row)])
        assert row["duplicate"] == observed.is_duplicate
        if not observed.is_duplicate:
            assert row["labelled_at"] == (observed.found_at or 0.0)
        found[row["kind"] in BLOCK_KINDS] += observed.found_at is not None
    assert found[False] > 20
    assert found[True] > 0


def said(row: np.void) -> tuple[int, bytes, float]:
    """Return what a row says of which charge, and when."""
    return int(row["kind"]), row["charge"].tobytes(), float(row["created"])
