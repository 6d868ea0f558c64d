"""What must have come of the inputs, computed from the logs by brute force.

Two logs fix nearly every order there is: the partitions of the inputs give that of a card's
charges; the partitions of the merchant stage's input that of a merchant, and so of all that is said
of a charge. Only how late what was said of a card was read, beside its charges, is nowhere written,
as it comes in other partitions: `tests.chaos.card_order` finds it out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from schemas.charge import Charge
from tests.chaos.card_order import card_order, close
from tests.chaos.dispute_places import dispute_places
from tests.chaos.label_rules import HORIZON_S, Answer, Labels
from tests.streams.features.brute_force import BruteForce, of_charge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from tests.chaos.card_order import Vector
    from tests.chaos.dispute_places import Places
    from tests.chaos.label_rules import Example
    from tests.chaos.traffic import Sent
    from tests.streams.features.brute_past import Values

Bounds = dict[int, dict[str, tuple[float, float]]]
"""By the number of a charge and the name of a feature."""

_ERROR = 2e-5
_UNSCORED = Answer(0.0, "allow")
"""Stands for the answer of a charge that is lost, which is found elsewhere."""


class Input(NamedTuple):
    """A valid input at its place in the log."""

    partition: int
    offset: int
    sent: Sent


class Frame(NamedTuple):
    """An input on its way to the merchant stage, at its place in the log.

    `place` is the offset of its message and the place in that; `card_features` are zero for a
    dispute or outcome. `layout` is the number of the layout it was written in, `None` for that of
    the first release. `turn` is which of its partition's it was to be scored or joined.
    """

    partition: int
    place: tuple[int, int]
    number: int
    is_duplicate: bool
    card_features: Vector
    layout: int | None
    turn: int


@dataclass
class Expected:
    """What must have come of the inputs.

    Attributes
    ----------
    duplicates
        Numbers of the inputs that count nowhere.
    features
        Of every charge by its number, duplicates without those of the merchant.
    examples, imputed, controls
        What is to be learned, as in `tests.chaos.label_rules.Labels`.
    found_at
        When the charge of a dispute or outcome was found to be a fraud before, by its number.
    unknown
        Numbers of the disputes and outcomes whose charge did not come in time.
    bounds
        The least and the most that a feature may be, of those that are not told exactly.
    """

    duplicates: set[int] = field(default_factory=set)
    features: dict[int, Values] = field(default_factory=dict)
    examples: dict[tuple[int, int], Example] = field(default_factory=dict)
    imputed: dict[int, float] = field(default_factory=dict)
    controls: Counter[tuple[int, float]] = field(default_factory=Counter)
    found_at: dict[int, float | None] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    bounds: Bounds = field(default_factory=dict)


def expect(
    inputs: Iterable[Input],
    frames: Sequence[Frame],
    answers: Mapping[int, Answer],
    *,
    shared: Mapping[int, Values],
    is_advisory: bool,
) -> Expected:
    """Compute what must have come of all inputs; what counts has one frame.

    Parameters
    ----------
    inputs, frames
        The logs.
    answers
        Of the charges by their numbers: what was stopped is counted, and learned otherwise.
    shared
        The features of each charge by what it shares with others.
    is_advisory
        Whether all charges went through.
    """
    expected = Expected()
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
        _expect_card(items, frame_of, places, expected)
    partitions: dict[int, list[Frame]] = defaultdict(list)
    for frame in frames:
        partitions[frame.partition].append(frame)
    for log in partitions.values():
        log.sort(key=lambda frame: frame.turn)
        sent = [by_number[frame.number].sent for frame in log]
        _expect_merchants(sent, answers, expected, is_advisory=is_advisory)
        for each in sent:
            if each.number in expected.features and each.number not in expected.duplicates:
                expected.features[each.number] |= shared[each.number]
        _expect_labels(sent, answers, expected, is_advisory=is_advisory)
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


def _expect_card(
    items: Sequence[Input], frame_of: Mapping[int, Frame], places: Places, expected: Expected
) -> None:
    oracle = BruteForce()
    for sent in card_order(items, frame_of, places):
        assert sent.event is not None
        observed = oracle.at_card(sent.event)
        if observed.is_duplicate:
            expected.duplicates.add(sent.number)
        if isinstance(sent.event, Charge):
            expected.features[sent.number] = of_charge(sent.event) | observed.features
        else:
            expected.found_at[sent.number] = observed.found_at


def _expect_merchants(
    log: Sequence[Sent], answers: Mapping[int, Answer], expected: Expected, *, is_advisory: bool
) -> None:
    """Count the events of one partition at its merchants."""
    actions = {
        sent.event: answers.get(sent.number, _UNSCORED).action
        for sent in log
        if isinstance(sent.event, Charge) and not is_advisory
    }
    stopped = {charge for charge, action in actions.items() if action != "allow"}
    blocked = {charge for charge, action in actions.items() if action == "block"}
    oracle = BruteForce(horizon_s=HORIZON_S, stopped=stopped, blocked=blocked)
    for sent in log:
        assert sent.event is not None
        is_duplicate = sent.number in expected.duplicates
        found_at = expected.found_at.get(sent.number)
        observed = oracle.at_merchant(sent.event, is_duplicate=is_duplicate, found_at=found_at)
        if isinstance(sent.event, Charge) and not is_duplicate:
            expected.features[sent.number] |= observed.features


def _expect_labels(
    log: Iterable[Sent], answers: Mapping[int, Answer], expected: Expected, *, is_advisory: bool
) -> None:
    """Label the charges of one partition."""
    labels = Labels(is_advisory=is_advisory)
    for sent in log:
        is_duplicate = sent.number in expected.duplicates
        if isinstance(sent.event, Charge):
            labels.move_on(sent.event.created)
            if not is_duplicate:
                answer = answers.get(sent.number, _UNSCORED)
                labels.charge(sent.number, sent.event, answer)
        elif not is_duplicate:
            assert sent.event is not None
            labels.label(sent.event)
    labels.end()
    expected.examples |= labels.examples
    expected.imputed |= labels.imputed
    expected.controls += labels.controls
