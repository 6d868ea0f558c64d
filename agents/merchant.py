"""The merchant stage: frames keyed by merchant become scored events and labelled examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from agents.decisions import Costs, ReviewBudget, choose
from agents.models.interface import Scorer
from agents.reasons import Reasons
from agents.scored_events import encode_scored
from schemas.rejected import InvalidEvent
from streams.charge_features import charge_features
from streams.decoding import Input, Rejected, reject
from streams.events import CHARGE, FRAUD_DISPUTE, Rows
from streams.features import CHARGE_FEATURES, FEATURES, MERCHANT_FEATURES
from streams.frames import EXAMPLE, Frames, decode_dispute_tail
from streams.labels import PENDING, LabelJoin, LabelRules, kept_key
from streams.merchant_features import update_merchants
from streams.merchant_record import MERCHANT
from streams.orphans import Orphan, Orphans
from streams.records import RecordCache, Slots
from streams.state import TaskState

_PROGRESS = b"progress"
_CLOCK_SKEW_S = 3600.0
"""How much older than its charge a dispute may look, its maker's clock being another."""


@dataclass(slots=True)
class MerchantOutput:
    """What a batch gives: scored events with their keys, examples, and inputs given up on."""

    keys: list[bytes]
    scored: list[bytes]
    actions: npt.NDArray[np.uint8]
    examples: Rows
    rejected: list[Rejected]


class _Found(NamedTuple):
    """A disputed charge: the key it is kept under, and when it was made."""

    key: bytes
    created: float


class MerchantStage:
    """Updates the merchants of one task, scores, decides, and joins labels.

    Parameters
    ----------
    state
        Tables of the task.
    rules
        When labels come.
    dedup_window_s
        For how long a repeated charge gets the answer of the first, seconds of event time.
    orphan_wait_s
        For how long a dispute waits for its charge, seconds of stream time.
    costs
        What each outcome costs.
    capacity
        Merchant records held in memory at most, and distinct merchants in a batch.

    Attributes
    ----------
    stream_time
        The newest event time seen, Unix seconds; 0 before the first event.
    """

    stream_time: float

    def __init__(
        self,
        state: TaskState,
        rules: LabelRules,
        dedup_window_s: float,
        orphan_wait_s: float,
        costs: Costs,
        capacity: int,
    ) -> None:
        self.cache = RecordCache(state.merchants, MERCHANT, capacity)
        self._meta = state.meta
        self._labels = LabelJoin(state, rules)
        self._orphans = Orphans(state.orphans, orphan_wait_s)
        self._rules = rules
        self._dedup_window_s = dedup_window_s
        self._costs = costs
        self._budget = ReviewBudget()
        self._reasons = Reasons(FEATURES)
        self.reload()

    def process(
        self,
        merchants: Sequence[bytes],
        frames: Frames,
        scorer: Scorer,
        clock: Callable[[], float],
    ) -> MerchantOutput:
        """Count, score and join a batch.

        Parameters
        ----------
        merchants
            N keys of the frames.
        frames
            N decoded frames, in the order they are to count.
        scorer
            The model to score with.
        clock
            Gives `scored_at`, Unix seconds; nothing is computed from it.
        """
        events = np.ascontiguousarray(frames.rows["event"])
        charges = np.flatnonzero(events["kind"] == CHARGE)
        disputes = np.flatnonzero(events["kind"] != CHARGE)
        before = self.stream_time
        now = self.stream_time = max(before, float(events["created"].max()))
        matured_until = before - self._rules.horizon_s

        disputed = self._find_disputed(events, disputes)
        features = self._count(merchants, events, disputes, disputed)[charges]
        charge_rows = events[charges]
        vectors = _vectors(charge_rows, frames.rows["card_features"][charges], features)
        answers = self._answer(charge_rows, vectors, scorer)
        original = charge_rows["duplicate"] == 0
        self._labels.keep(charge_rows[original], answers[original], matured_until)
        self._repeat_answers(charge_rows, answers)

        labelled = self._label_late_charges(charge_rows[original])
        for row, found in zip(disputes.tolist(), disputed, strict=True):
            labelled.append(self._label(events[row], found, frames.tails[row]))
        labelled.append(self._labels.mature(matured_until, now - self._rules.horizon_s))
        self._labels.expire(before - self._rules.retention_s, now - self._rules.retention_s)

        examples = np.concatenate(labelled)
        return MerchantOutput(
            keys=[frames.keys[row] for row in charges],
            scored=encode_scored(
                [frames.tails[row] for row in charges],
                answers,
                self._reasons,
                ~original,
                clock(),
            ),
            actions=answers["action"],
            examples=examples[np.argsort(examples["labelled_at"], kind="stable")],
            rejected=[_given_up(orphan) for orphan in self._orphans.expired(now)],
        )

    def flush(self) -> None:
        """Put everything changed into the tables."""
        self.cache.flush()
        progress = [self.stream_time, self._budget.tokens]
        self._meta.put(_PROGRESS, orjson.dumps(progress))

    def reload(self) -> None:
        """Forget everything changed since the last commit, and ask the tables again."""
        self.cache.clear()
        self._orphans.reload()
        stored = self._meta.get(_PROGRESS)
        self.stream_time, self._budget.tokens = (0.0, 0) if stored is None else orjson.loads(stored)

    def _find_disputed(self, events: Rows, disputes: Slots) -> list[_Found | None]:
        """Find each dispute's charge, among those kept and in the batch itself."""
        if not len(disputes):
            return []
        rows = events[disputes]
        kept = self._labels.find(
            rows["charge"], rows["created"], self._rules.retention_s, _CLOCK_SKEW_S
        )
        in_batch = {
            row["charge"].tobytes(): _Found(kept_key(row), float(row["created"]))
            for row in events[(events["kind"] == CHARGE) & (events["duplicate"] == 0)]
        }
        return [
            in_batch.get(row["charge"].tobytes())
            if found is None
            else _Found(found.key, float(found.charge["created"]))
            for row, found in zip(rows, kept, strict=True)
        ]

    def _count(
        self,
        merchants: Sequence[bytes],
        events: Rows,
        disputes: Slots,
        disputed: Sequence[_Found | None],
    ) -> npt.NDArray[np.float32]:
        """Update the merchants' records and return the features of every event."""
        charged_at = np.full(len(events), np.nan)
        charged_at[disputes] = [np.nan if found is None else found.created for found in disputed]
        features = np.zeros((len(events), len(MERCHANT_FEATURES)), np.float32)
        update_merchants(
            self.cache.records,
            self.cache.slots(merchants),
            events,
            charged_at,
            events["duplicate"] == 0,
            self._rules.horizon_s,
            features,
        )
        return features

    def _answer(self, charges: Rows, vectors: npt.NDArray[np.float32], scorer: Scorer) -> Rows:
        """Score and decide: PENDING[N] of the charges."""
        answers = np.zeros(len(charges), PENDING)
        answers["created"] = charges["created"]
        answers["vector"] = vectors
        answers["score"] = scorer.predict(vectors)
        answers["action"] = choose(answers["score"], charges["amount"], self._costs, self._budget)
        answers["reasons"], answers["reason_count"] = self._reasons.pick(
            vectors, scorer.contributions(vectors)
        )
        answers["model"] = scorer.version.encode()
        return answers

    def _repeat_answers(self, charges: Rows, answers: Rows) -> None:
        """Give a producer's retries the answers their originals got."""
        retries = np.flatnonzero(charges["duplicate"])
        window_s = self._dedup_window_s
        rows = charges[retries]
        originals = self._labels.find(rows["charge"], rows["created"], window_s, window_s)
        for retry, original in zip(retries, originals, strict=True):
            if original is not None:
                answers[retry] = original.charge

    def _label_late_charges(self, charges: Rows) -> list[Rows]:
        """Label the charges whose disputes were here before them."""
        if not len(self._orphans):
            return []
        labelled = []
        for row in charges:
            for orphan in self._orphans.claim(row["charge"].tobytes()):
                if orphan.kind == FRAUD_DISPUTE:
                    key = kept_key(row)
                    labelled.append(self._labels.label(key, max(orphan.created, row["created"])))
        return labelled

    def _label(self, dispute: np.void, found: _Found | None, tail: bytes) -> Rows:
        """Join a dispute with its charge, or let it wait."""
        created, kind = float(dispute["created"]), int(dispute["kind"])
        if found is not None and kind == FRAUD_DISPUTE:
            return self._labels.label(found.key, created)
        if found is None and not dispute["duplicate"]:
            self._orphans.add(Orphan(dispute["charge"].tobytes(), kind, created, tail))
        return np.empty(0, EXAMPLE)


def _vectors(
    charges: Rows,
    card_features: npt.NDArray[np.float32],
    merchant_features: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    own = np.zeros((len(charges), len(CHARGE_FEATURES)), np.float32)
    charge_features(charges, own)
    return np.hstack((own, card_features, merchant_features))


def _given_up(orphan: Orphan) -> Rejected:
    origin, key, value = decode_dispute_tail(orphan.tail)
    error = InvalidEvent("unknown_charge", "charge: no such charge was seen")
    return reject(Input(key, value, origin), error)
