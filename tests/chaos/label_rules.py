"""What is to be learned of the charges of one partition, event by event, in the plainest way."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from xxhash import xxh3_128_digest

from schemas.dispute import Dispute
from streams.labels.join import CONTROLS
from streams.wire.examples import BY_DISPUTE, BY_SILENCE, BY_VERDICT
from tests.chaos.traffic import DAY_S, HORIZON_DAYS

if TYPE_CHECKING:
    from schemas.charge import Charge
    from tests.chaos.traffic import Label

HORIZON_S = HORIZON_DAYS * DAY_S

_THROUGH = {"authorized", "challenge_passed", "review_genuine", "answered allow"}
_STOPPED = {
    "declined", "blocked", "canceled", "challenge_failed", "challenge_abandoned",
    "answered challenge", "answered review", "answered block",
}  # fmt: skip


class Answer(NamedTuple):
    """What a charge was scored, and the action that was taken."""

    score: float
    action: str


class Example(NamedTuple):
    """When a charge was labelled, and what its label is by."""

    at: float
    source: int


@dataclass
class _Known:
    """What is known of a charge."""

    number: int
    created: float
    due_at: float
    went_through: bool
    is_fraud: bool = False
    is_refunded: bool = False
    is_settled: bool = False
    """Whether it was a negative, or can be none any more."""


class Labels:
    """The label rules in one partition, where nothing but its charges moves stream time.

    Parameters
    ----------
    is_advisory
        Whether all charges went through.

    Attributes
    ----------
    examples
        Of every charge by its number and label.
    imputed
        When charges were taken for frauds, by their numbers.
    controls
        How often frauds of a time are compared with a charge, by its number and that time.
    """

    def __init__(self, *, is_advisory: bool) -> None:
        self.examples: dict[tuple[int, int], Example] = {}
        self.imputed: dict[int, float] = {}
        self.controls: Counter[tuple[int, float]] = Counter()
        self._is_advisory = is_advisory
        self._now = 0.0
        self._charges: dict[tuple[str, str], _Known] = {}
        self._by_place: list[tuple[float, bytes, int]] = []
        """Day, hash and number of each charge, in that order."""
        self._by_number: dict[int, _Known] = {}

    def move_on(self, created: float) -> None:
        self._now = max(self._now, created)

    def charge(self, number: int, charge: Charge, answer: Answer) -> None:
        """Keep a charge, and take it for a fraud if it is one of the blocked ones that are."""
        due_at = max(charge.created, self._now - HORIZON_S)
        is_through = self._is_advisory or answer.action == "allow"
        known = _Known(number, charge.created, due_at, is_through)
        self._charges[charge.card, charge.id] = self._by_number[number] = known
        place = _place(charge.card, charge.id, charge.created)
        insort(self._by_place, (*place, number))
        draw = int(np.frombuffer(place[1], ">u8")[1]) / 2**64
        if not self._is_advisory and answer.action == "block" and draw < answer.score:
            self._compare(*place)
            self.imputed[number] = self._now

    def label(self, label: Label) -> None:
        """Take the word of a dispute or outcome, no duplicate, on a charge that has come before."""
        known = self._charges[label.card, label.charge]
        self._mature(known)
        is_past = self._now > known.created + HORIZON_S
        said = _said(label)
        if said in {"fraudulent", "review_fraud"}:
            self._fraud(known, label, is_past=is_past)
        elif said in _THROUGH:
            if is_past and not known.went_through:
                self._be_negative(known, self._now)
            known.went_through = True
        elif said in _STOPPED and not is_past:
            known.went_through = False
        elif said == "refunded" and not (is_past and known.went_through):
            known.is_refunded = known.is_settled = True

    def end(self) -> None:
        """Do what stream time has brought about by the end."""
        for known in self._by_number.values():
            self._mature(known)

    def _fraud(self, known: _Known, label: Label, *, is_past: bool) -> None:
        if known.is_fraud:
            return
        known.is_fraud = True
        self._compare(*_place(label.card, label.charge, known.created))
        source = BY_DISPUTE if isinstance(label, Dispute) else BY_VERDICT
        self.examples[known.number, 1] = Example(self._now, source)
        if not (is_past and known.went_through):
            known.is_settled = True

    def _mature(self, known: _Known) -> None:
        """Make a negative of a charge that has been silent for long enough."""
        if known.went_through and known.due_at < self._now - HORIZON_S:
            self._be_negative(known, known.due_at + HORIZON_S)

    def _be_negative(self, known: _Known, at: float) -> None:
        if not known.is_settled:
            known.is_settled = True
            self.examples[known.number, 0] = Example(at, BY_SILENCE)

    def _compare(self, day: float, key: bytes) -> None:
        """Choose the controls, from the hash on the day before until the charge."""
        first = bisect_left(self._by_place, (day - 1, key))
        last = bisect_left(self._by_place, (day, key))
        others = [self._by_number[number] for _, _, number in self._by_place[first:last]]
        comparable = [
            other.number
            for other in others
            if other.went_through and not other.is_fraud and not other.is_refunded
        ]
        self.controls.update((number, self._now) for number in comparable[:CONTROLS])


def _said(label: Label) -> str:
    """Return what a label says; a dispute whether it is for fraud, an answer its action."""
    if isinstance(label, Dispute):
        return "fraudulent" if label.is_fraud else "other"
    return label.outcome if label.action is None else f"{label.outcome} {label.action}"


def _place(card: str, charge: str, created: float) -> tuple[float, bytes]:
    """Return the day of a charge and the hash of its name: the order in which charges are kept."""
    return created // DAY_S, xxh3_128_digest(f"{card}\0{charge}".encode())
