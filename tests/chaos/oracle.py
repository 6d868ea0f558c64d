"""What must have come of the inputs, computed from the logs by brute force.

Two logs fix nearly every order there is: the partitions of the inputs give that of a card's
charges, and that of its disputes once they count; the partitions of the merchant stage's input that
of a merchant. Only how late a card's disputes were read, beside its charges, is nowhere written, as
they come in two partitions: any interleaving is right that agrees with every log and with all of
the card's features.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from xxhash import xxh3_128_digest

from schemas.charge import Charge
from streams.features.entities import CARDS
from streams.labels.join import CONTROLS
from tests.chaos.dispute_places import Places, dispute_places
from tests.chaos.traffic import DAY_S, HORIZON_DAYS
from tests.streams.features.brute_card import of_card
from tests.streams.features.brute_force import BruteForce, of_charge
from tests.streams.features.brute_past import CardPast, Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from schemas.dispute import Dispute
    from tests.chaos.traffic import Sent

    Vector = npt.NDArray[np.float32]

HORIZON_S = HORIZON_DAYS * DAY_S

Bounds = dict[int, dict[str, tuple[float, float]]]
"""By the number of a charge and the name of a feature."""

_ERROR = 2e-5

_OF_DISPUTES = ("card_fraud_disputes", "card_other_disputes", "card_since_fraud_dispute")
_PLACES = [[f.name for f in CARDS.features].index(name) for name in _OF_DISPUTES]


class Input(NamedTuple):
    """A valid input at its place in the log."""

    partition: int
    offset: int
    sent: Sent


class Frame(NamedTuple):
    """An input on its way to the merchant stage, at its place in the log.

    `place` is the offset of its message and the place in that; `card_features` are zero for a
    dispute. `layout` is the number of the layout it was written in, `None` for that of the first
    release.
    """

    partition: int
    place: tuple[int, int]
    number: int
    is_duplicate: bool
    card_features: Vector
    layout: int | None


@dataclass
class Expected:
    """What must have come of the inputs.

    Attributes
    ----------
    duplicates
        Numbers of the inputs that count nowhere.
    features
        Of every charge by its number, duplicates without those of the merchant.
    examples
        Of every charge by its number and label: when it was labelled.
    controls
        How often frauds labelled at a time are compared with a charge, by its number and that time.
    unknown
        Numbers of the disputes whose charge did not come in time.
    bounds
        The least and the most that a feature may be, of those that are not told exactly.
    """

    duplicates: set[int] = field(default_factory=set)
    features: dict[int, Values] = field(default_factory=dict)
    examples: dict[tuple[int, int], float] = field(default_factory=dict)
    controls: Counter[tuple[int, float]] = field(default_factory=Counter)
    unknown: set[int] = field(default_factory=set)
    bounds: Bounds = field(default_factory=dict)


def expect(inputs: Iterable[Input], frames: Sequence[Frame]) -> Expected:
    """Compute what must have come of all inputs; what counts has one frame."""
    expected, oracle = Expected(), BruteForce(horizon_s=HORIZON_S)
    by_number = {item.sent.number: item for item in inputs}
    frame_of = {frame.number: frame for frame in frames}
    places = dispute_places(by_number.values())
    expected.unknown = places.in_vain - frame_of.keys()
    by_card: dict[str, list[Input]] = defaultdict(list)
    for number in frame_of:
        event = by_number[number].sent.event
        assert event is not None
        by_card[event.card].append(by_number[number])
    for items in by_card.values():
        _expect_card(items, frame_of, places, oracle, expected)
    partitions: dict[int, list[Frame]] = defaultdict(list)
    for frame in frames:
        partitions[frame.partition].append(frame)
    for log in partitions.values():
        log.sort(key=lambda frame: frame.place)
        _expect_merchants([by_number[frame.number].sent for frame in log], oracle, expected)
        _expect_labels([by_number[frame.number].sent for frame in log], expected)
    return expected


def as_expected(
    vector: Vector, number: int, expected: Expected, names: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Tell which features of a charge are as expected."""
    equal = close(vector, expected.features[number], names)
    bounds = expected.bounds.get(number, {})
    for place, name in enumerate(names):
        if name in bounds:
            low, high = bounds[name]
            equal[place] = low * (1 - _ERROR) <= vector[place] <= high * (1 + _ERROR)
    return equal


def close(vector: Vector, values: Values, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell which features are as expected: sums are added up in single precision."""
    wanted = np.array([values[name] for name in names])
    equal: npt.NDArray[np.bool_] = np.isclose(vector, wanted, rtol=_ERROR, atol=1e-6)
    return equal


def _expect_card(
    items: list[Input],
    frame_of: dict[int, Frame],
    places: Places,
    oracle: BruteForce,
    expected: Expected,
) -> None:
    """Go through a card's charges, each after as many of its disputes as it must have seen."""
    items.sort(key=lambda item: item.offset)
    charges = [item.sent for item in items if isinstance(item.sent.event, Charge)]
    disputes = [item.sent for item in items if not isinstance(item.sent.event, Charge)]
    # Of two copies of one dispute that waited for its time, either may count first.
    disputes.sort(
        key=lambda sent: (places.at[sent.number], created_of(sent), frame_of[sent.number].place)
    )
    seen = 0
    counted: list[Dispute] = []
    for sent in charges:
        charge = sent.event
        assert isinstance(charge, Charge)
        for dispute in _seen_before(sent, disputes[seen:], frame_of, counted):
            seen += 1
            _count_dispute(dispute, oracle, counted, expected)
        observed = oracle.at_card(charge)
        expected.features[sent.number] = of_charge(charge) | observed.features
        if observed.is_duplicate:
            expected.duplicates.add(sent.number)
    for dispute in disputes[seen:]:
        _count_dispute(dispute, oracle, counted, expected)


def created_of(sent: Sent) -> float:
    """Return when an event was made, Unix seconds."""
    assert sent.event is not None
    return sent.event.created


def _count_dispute(
    sent: Sent, oracle: BruteForce, counted: list[Dispute], expected: Expected
) -> None:
    dispute = sent.event
    assert dispute is not None
    assert not isinstance(dispute, Charge)
    if oracle.at_card(dispute).is_duplicate:
        expected.duplicates.add(sent.number)
    else:
        counted.append(dispute)


def _seen_before(
    sent: Sent,
    waiting: Sequence[Sent],
    frame_of: dict[int, Frame],
    counted: Sequence[Dispute],
) -> Sequence[Sent]:
    """Return the waiting disputes of the card that came before its charge.

    As few as agree with the logs and with what the charge's features say of disputes; where none
    do, as few as agree with the logs, so that the comparison of the features fails.
    """
    if not waiting:
        return []
    frame, charge = frame_of[sent.number], sent.event
    assert isinstance(charge, Charge)
    same_log = [
        (place, frame_of[dispute.number].place < frame.place)
        for place, dispute in enumerate(waiting)
        if frame_of[dispute.number].partition == frame.partition
    ]
    fewest = max((place + 1 for place, is_before in same_log if is_before), default=0)
    most = min((place for place, is_before in same_log if not is_before), default=len(waiting))
    known = {(dispute.charge, dispute.is_fraud) for dispute in counted}
    past = CardPast(disputes=list(counted))
    for count in range(most + 1):
        if count >= fewest:
            features = of_card(past, charge)
            if close(frame.card_features[_PLACES], features, _OF_DISPUTES).all():
                return waiting[:count]
        if count < most:
            dispute = waiting[count].event
            assert dispute is not None
            assert not isinstance(dispute, Charge)
            if (dispute.charge, dispute.is_fraud) not in known:
                known.add((dispute.charge, dispute.is_fraud))
                past.disputes.append(dispute)
    return waiting[:fewest]


def _expect_merchants(log: Iterable[Sent], oracle: BruteForce, expected: Expected) -> None:
    for sent in log:
        assert sent.event is not None
        is_duplicate = sent.number in expected.duplicates
        observed = oracle.at_merchant(sent.event, is_duplicate=is_duplicate)
        if isinstance(sent.event, Charge) and not is_duplicate:
            expected.features[sent.number] |= observed.features


def _expect_labels(log: Iterable[Sent], expected: Expected) -> None:
    labels = Labels(expected)
    for sent in log:
        assert sent.event is not None
        if not isinstance(sent.event, Charge):
            labels.dispute(sent.event)
            continue
        labels.move_on(sent.event.created)
        if sent.number not in expected.duplicates:
            labels.charge(sent, sent.event)
    labels.end()


class Labels:
    """The label rules in one partition, where nothing but its charges moves stream time."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._now = 0.0
        self._kept: dict[tuple[str, str], tuple[int, float]] = {}
        self._places: list[tuple[float, bytes, int]] = []
        """Day, hash and number of each charge, in that order."""
        self._timers: dict[int, float] = {}
        self._cancelled: set[int] = set()

    def move_on(self, created: float) -> None:
        self._now = max(self._now, created)

    def charge(self, sent: Sent, charge: Charge) -> None:
        """Keep a charge."""
        name = charge.card, charge.id
        self._kept[name] = sent.number, charge.created
        self._timers[sent.number] = max(charge.created, self._now - HORIZON_S)
        insort(self._places, (*_place(charge.card, charge.id, charge.created), sent.number))

    def dispute(self, dispute: Dispute) -> None:
        """Label its charge, which has come before."""
        self._label(*self._kept[dispute.card, dispute.charge], dispute)

    def end(self) -> None:
        """Do what stream time has brought about by the end."""
        for number, due_at in self._timers.items():
            if number not in self._cancelled and due_at < self._now - HORIZON_S:
                self._expected.examples[number, 0] = due_at + HORIZON_S

    def _compare(self, day: float, key: bytes) -> None:
        """Choose the controls: undisputed, from the hash on the day before until the charge."""
        first = bisect_left(self._places, (day - 1, key))
        last = bisect_left(self._places, (day, key))
        others = [number for _, _, number in self._places[first:last]]
        undisputed = [other for other in others if (other, 1) not in self._expected.examples]
        self._expected.controls.update((other, self._now) for other in undisputed[:CONTROLS])

    def _label(self, number: int, created: float, dispute: Dispute) -> None:
        if dispute.is_fraud and (number, 1) not in self._expected.examples:
            self._compare(*_place(dispute.card, dispute.charge, created))
            self._expected.examples[number, 1] = self._now
            if self._now <= created + HORIZON_S:
                self._cancelled.add(number)


def _place(card: str, charge: str, created: float) -> tuple[float, bytes]:
    """Return the day of a charge and the hash of its name: the order in which charges are kept."""
    return created // DAY_S, xxh3_128_digest(f"{card}\0{charge}".encode())
