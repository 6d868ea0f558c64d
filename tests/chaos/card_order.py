"""In which order a card's charges, and what was said of them, have counted.

The log of the charges gives theirs; that of a partition of the merchant stage's input the order of
all that went there. Between charges and labels that went to different partitions any order is right
that agrees with these logs and with what the features of the charges say of labels. Of such that
one is taken in which as few labels as possible have come, in the order in which they count if they
are read as they were published.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice, product
from typing import TYPE_CHECKING, cast

import numpy as np

from schemas.charge import Charge
from streams.features.entities import CARDS
from tests.streams.features.brute_card import disputes_of_card, outcomes_of_card
from tests.streams.features.brute_past import is_said_again, meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from tests.chaos.dispute_places import Places
    from tests.chaos.oracle import Frame, Input
    from tests.chaos.traffic import Label, Sent
    from tests.streams.features.brute_past import Values

    Vector = npt.NDArray[np.float32]
    Frames = Mapping[int, Frame]

_ERROR = 2e-5
_CHOICES = 5_000

_OF_LABELS = (
    *("card_fraud_disputes", "card_other_disputes", "card_since_fraud_dispute"),
    *("card_declined_1h", "card_declined_24h", "card_declined_7d"),
    *("card_blocked_1h", "card_blocked_24h", "card_blocked_7d"),
)
_PLACES = [[f.name for f in CARDS.features].index(name) for name in _OF_LABELS]


def close(vector: Vector, values: Values, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell which features are as expected: sums are added up in single precision."""
    wanted = np.array([values[name] for name in names])
    equal: npt.NDArray[np.bool_] = np.isclose(vector, wanted, rtol=_ERROR, atol=1e-6)
    return equal


def card_order(items: Sequence[Input], frame_of: Frames, places: Places) -> Iterator[Sent]:
    """Yield the events of a card as they have counted, each of which has a frame."""
    ordered = [item.sent for item in sorted(items, key=lambda item: item.offset)]
    charges = [sent for sent in ordered if isinstance(sent.event, Charge)]
    waiting = _as_published(
        [s for s in ordered if not isinstance(s.event, Charge)], frame_of, places
    )
    counted: list[Label] = []
    for sent in charges:
        for label in _seen_before(sent, waiting, frame_of, counted):
            waiting.remove(label)
            _count(label, counted)
            yield label
        yield sent
    yield from waiting


def _as_published(labels: list[Sent], frame_of: Frames, places: Places) -> list[Sent]:
    """Return labels in their order if they are read as published, and that of their frames."""

    def place(sent: Sent) -> tuple[float, float, tuple[int, int]]:
        return places.at[sent.number], _label(sent).created, frame_of[sent.number].place

    labels.sort(key=place)
    partitions = _by_partition(labels, frame_of)
    in_turn = {partition: iter(those) for partition, those in partitions.items()}
    return [next(in_turn[frame_of[sent.number].partition]) for sent in labels]


def _by_partition(labels: Sequence[Sent], frame_of: Frames) -> dict[int, list[Sent]]:
    """Return labels by the partition they went to, in the order in which they did."""
    partitions: dict[int, list[Sent]] = defaultdict(list)
    for sent in labels:
        partitions[frame_of[sent.number].partition].append(sent)
    for those in partitions.values():
        those.sort(key=lambda sent: frame_of[sent.number].place)
    return partitions


def _seen_before(
    sent: Sent, waiting: Sequence[Sent], frame_of: Frames, counted: Sequence[Label]
) -> Sequence[Sent]:
    """Return the waiting labels that came before a charge of their card.

    Where no choice agrees with its features, those that the logs demand, so that the comparison of
    the features fails.
    """
    frame = frame_of[sent.number]
    same_log = [label for label in waiting if frame_of[label.number].partition == frame.partition]
    certain = {label.number for label in same_log if frame_of[label.number].place < frame.place}
    barred = {label.number for label in same_log} - certain
    possible = [label for label in waiting if label.number not in barred]
    for chosen in islice(_choices(possible, certain, frame_of), _CHOICES):
        if _agrees(sent, frame, chosen, counted):
            return chosen
    return [label for label in possible if label.number in certain]


def _choices(
    possible: Sequence[Sent], certain: set[int], frame_of: Frames
) -> Iterator[Sequence[Sent]]:
    """Yield what may have come, the certain ones always: first by the order, then in any way.

    Of those that went to one partition none came before an earlier one.
    """
    fewest = max((n for n, sent in enumerate(possible, 1) if sent.number in certain), default=0)
    for count in range(fewest, len(possible) + 1):
        if count == fewest or _matters(possible[count - 1]):
            yield possible[:count]
    partitions = _by_partition([s for s in possible if s.number not in certain], frame_of)
    counts = [
        [0, *(n for n, sent in enumerate(those, 1) if _matters(sent))]
        for those in partitions.values()
    ]
    for each in product(*counts):
        came = certain.union(
            sent.number
            for those, count in zip(partitions.values(), each, strict=True)
            for sent in those[:count]
        )
        yield [sent for sent in possible if sent.number in came]


def _agrees(sent: Sent, frame: Frame, chosen: Sequence[Sent], counted: Sequence[Label]) -> bool:
    """Tell whether a charge has the features of labels if just these have come as well."""
    labels = list(counted)
    for label in chosen:
        _count(label, labels)
    created = cast("Charge", sent.event).created
    features = disputes_of_card(labels, created) | outcomes_of_card(labels, created)
    values = {f"card_{name}": value for name, value in features.items()}
    return bool(close(frame.card_features[_PLACES], values, _OF_LABELS).all())


def _count(sent: Sent, counted: list[Label]) -> None:
    label = _label(sent)
    if not is_said_again(label, counted):
        counted.append(label)


def _matters(sent: Sent) -> bool:
    """Whether the features of the card show a label."""
    return meaning_of(_label(sent)) in {"fraud", "other dispute", "won", "declined", "blocked"}


def _label(sent: Sent) -> Label:
    return cast("Label", sent.event)
