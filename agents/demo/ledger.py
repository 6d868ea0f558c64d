"""The ledger: what was published, what came of it, and what that says. No Kafka, no clock."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from agents.evaluation.outcomes import Outcomes
from agents.models.prior import VERSION as PRIOR
from schemas.scored import ACTIONS, ALLOW, BLOCK, REVIEW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.acting.acting import Acted
    from schemas.currency import Rates
    from schemas.snapshot import Snapshot
    from streams.simulator import SimulatedEvent

_LATEST = 20
_NUMBER = re.compile(r"-?\d[\d.]*")


class Flagged(NamedTuple):
    """A charge that was blocked or reviewed, and the pattern of fraud it truly is part of."""

    event: dict[str, Any]
    pattern: str | None


@dataclass(slots=True)
class Counts:
    """What was published, and what came back; damaged and rejected inputs are charges.

    `withheld` disputes are those of stopped charges, which were not published.
    """

    charges: int = 0
    duplicates: int = 0
    damaged: int = 0
    disputes: int = 0
    fraud_disputes: int = 0
    withheld: int = 0
    outcomes: int = 0
    scored: int = 0
    duplicates_answered: int = 0
    rejected: int = 0
    disputes_rejected: int = 0
    outcomes_rejected: int = 0

    def __str__(self) -> str:
        return (
            f"{self.charges:,} charges, {self.duplicates:,} duplicates, {self.damaged:,} damaged "
            f"inputs, {self.disputes:,} disputes and {self.outcomes:,} outcomes were published; "
            f"{self.scored:,} charges were scored, {self.duplicates_answered:,} duplicates "
            f"answered, {self.rejected:,} charges, {self.disputes_rejected:,} disputes and "
            f"{self.outcomes_rejected:,} outcomes rejected"
        )

    @property
    def is_settled(self) -> bool:
        """Whether everything published has come back, as far as counts say."""
        answered = self.scored + self.duplicates_answered
        return answered == self.charges + self.duplicates and self.rejected == self.damaged


@dataclass(frozen=True, slots=True)
class Learned:
    """The newest model and what it has learned from: frauds by dispute or verdict, and the rest."""

    version: str
    frauds: int
    others: int


@dataclass(frozen=True, slots=True)
class ScoredCharges:
    """Scored charges in columns of shape (N,), in the order of publishing.

    Attributes
    ----------
    created
        Unix seconds.
    amount
        In units of the reference currency.
    card
        Any number that stands for the card.
    sent_at, read_at
        When the charge was sent and its scored event read, seconds of one clock.
    score, action
        As scored; actions index `agents.stages.decisions.ACTIONS`.
    by_prior
        Whether the prior scored it.
    fraud
        Whether it is disputed as fraudulent, by now or later, or would have been.
    stopped
        Whether its action has stopped it.
    held_out
        Whether it was let through at random.
    """

    created: npt.NDArray[np.float64]
    amount: npt.NDArray[np.float64]
    card: npt.NDArray[np.int64]
    sent_at: npt.NDArray[np.float64]
    read_at: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    action: npt.NDArray[np.uint8]
    by_prior: npt.NDArray[np.uint8]
    fraud: npt.NDArray[np.uint8]
    stopped: npt.NDArray[np.uint8]
    held_out: npt.NDArray[np.uint8]

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """From sending to reading."""
        return self.read_at - self.sent_at

    def outcomes(self) -> Outcomes:
        """Return how they turned out."""
        fraud = self.fraud == 1
        return Outcomes(self.created, self.card, self.amount, self.score, self.action, fraud)


@dataclass
class _Columns:
    """One entry a charge, in the order of publishing."""

    created: array[float] = field(default_factory=lambda: array("d"))
    amount: array[float] = field(default_factory=lambda: array("d"))
    card: array[int] = field(default_factory=lambda: array("q"))
    sent_at: array[float] = field(default_factory=lambda: array("d"))
    read_at: array[float] = field(default_factory=lambda: array("d"))
    score: array[float] = field(default_factory=lambda: array("d"))
    action: array[int] = field(default_factory=lambda: array("B"))
    by_prior: array[int] = field(default_factory=lambda: array("B"))
    fraud: array[int] = field(default_factory=lambda: array("B"))
    stopped: array[int] = field(default_factory=lambda: array("B"))
    held_out: array[int] = field(default_factory=lambda: array("B"))


class Ledger:
    """Takes down what is published and read, from several threads.

    Parameters
    ----------
    rates
        Of the currencies of the charges.

    Attributes
    ----------
    counts
        So far.
    reasons
        Rejected inputs by the message that says why, numbers left out of it.
    examples
        For each of these the first message in full.
    stream_time
        Newest event time among the scored charges, Unix seconds; 0 before the first.
    """

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self.counts = Counts()
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self._flagged: deque[Flagged] = deque(maxlen=_LATEST)
        self.stream_time = 0.0
        self._lock = Lock()
        self._columns = _Columns()
        self._answers = array("i")
        self._rows: dict[str, int] = {}
        self._patterns: dict[str, str] = {}
        self._fraud_examples: list[int] = []
        self._newest_example = -1
        self._snapshot: Snapshot | None = None

    def publishing(self, events: Iterable[SimulatedEvent], sent_at: float) -> None:
        """Take down events that are about to be published; `sent_at` in seconds of any clock."""
        with self._lock:
            for event in events:
                if event.topic == "disputes":
                    self.counts.disputes += 1
                    self.counts.fraud_disputes += event.value["reason"] == "fraudulent"
                elif event.fault:
                    self.counts.damaged += 1
                elif event.duplicate:
                    self.counts.duplicates += 1
                else:
                    self._add_charge(event, sent_at)

    def scored(self, values: Iterable[bytes], read_at: float) -> None:
        """Take down scored events; `read_at` is of the same clock as `sent_at`."""
        events = [orjson.loads(value) for value in values]
        with self._lock:
            for event in events:
                row = self._rows.get(event["charge"])
                if row is None:
                    continue  # of another producer
                if event.get("duplicate"):
                    self.counts.duplicates_answered += 1
                    continue
                self._answer(row, event, read_at)

    def acted(self, acted: Acted) -> None:
        """Take down what was carried out."""
        with self._lock:
            self.counts.outcomes += len(acted.outcomes)
            self.counts.withheld += acted.withheld
            for charge in acted.stopped:
                self._columns.stopped[self._rows[charge]] = 1

    def labels_rejected(self, *, disputes: int, outcomes: int) -> None:
        """Take down disputes and outcomes that were rejected."""
        with self._lock:
            self.counts.disputes_rejected += disputes
            self.counts.outcomes_rejected += outcomes

    def rejected(self, messages: Iterable[str]) -> None:
        """Take down rejected charges, by the messages that say why they were."""
        with self._lock:
            for message in messages:
                reason = _NUMBER.sub("", message)
                self.counts.rejected += 1
                self.reasons[reason] += 1
                self.examples.setdefault(reason, message)

    def labelled(self, offsets: Sequence[int], frauds: Sequence[bool]) -> None:
        """Take down labelled examples, in the order of their offsets."""
        with self._lock:
            self._newest_example = offsets[-1]
            self._fraud_examples += [
                offset for offset, fraud in zip(offsets, frauds, strict=True) if fraud
            ]

    def learned(self, snapshot: Snapshot) -> None:
        """Take down the newest snapshot of the model."""
        with self._lock:
            self._snapshot = snapshot

    def newest_model(self) -> Learned:
        """Return the newest model, and what it has learned from."""
        with self._lock:
            if self._snapshot is None:
                return Learned(PRIOR, 0, 0)
            frauds = bisect_left(self._fraud_examples, self._snapshot.offset)
            return Learned(self._snapshot.version, frauds, self._snapshot.examples - frauds)

    def has_learned(self) -> bool:
        """Tell whether the newest model has learned from every labelled example so far."""
        with self._lock:
            learned_to = self._snapshot.offset if self._snapshot else 0
            return learned_to > self._newest_example

    def answered_once(self) -> int:
        """Return how many charges have exactly one answer."""
        with self._lock:
            return self._answers.count(1)

    def latest_flagged(self) -> list[Flagged]:
        """Return the last charges that were blocked or reviewed, the newest first."""
        with self._lock:
            return list(self._flagged)

    def scored_charges(self, since: float) -> ScoredCharges:
        """Return the scored charges created from `since` on, Unix seconds."""
        with self._lock:
            columns = {name: np.array(column) for name, column in vars(self._columns).items()}
            rows = np.flatnonzero((columns["created"] >= since) & ~np.isnan(columns["score"]))
        return ScoredCharges(**{name: column[rows] for name, column in columns.items()})

    def _add_charge(self, event: SimulatedEvent, sent_at: float) -> None:
        value: dict[str, Any] = event.value
        columns = self._columns
        self.counts.charges += 1
        self._rows[value["id"]] = len(self._rows)
        if event.fraud:
            self._patterns[value["id"]] = event.fraud
        columns.created.append(value["created"])
        columns.amount.append(self._rates.usd(value["amount"], value["currency"]))
        columns.card.append(hash(event.key))
        columns.sent_at.append(sent_at)
        columns.read_at.append(np.nan)
        columns.score.append(np.nan)
        columns.action.append(ALLOW)
        columns.by_prior.append(0)
        columns.fraud.append(event.disputed)
        columns.stopped.append(0)
        columns.held_out.append(0)
        self._answers.append(0)

    def _answer(self, row: int, event: dict[str, Any], read_at: float) -> None:
        columns = self._columns
        action = ACTIONS.index(event["action"])
        self.counts.scored += 1
        self.stream_time = max(self.stream_time, event["created"])
        self._answers[row] += 1
        columns.read_at[row] = read_at
        columns.score[row] = event["score"]
        columns.action[row] = action
        columns.by_prior[row] = event["model"] == PRIOR
        columns.held_out[row] = "holdout" in event
        if action in {REVIEW, BLOCK}:
            self._flagged.appendleft(Flagged(event, self._patterns.get(event["charge"])))
