"""The delayed join: scored vectors wait for their labels, and become examples to learn from.

::

    created                      created + horizon                    + retention
    |-- scored, vector kept ------|-- a negative, unless disputed ------|-- forgotten
          ^ fraud dispute: a positive at once        ^ still a positive

Silence tells only of what went through. A charge that was stopped, or whose money went back, is no
negative and no control. Whether it went through is told by its outcome, and without one by its
action, unless actions are advisory.

Every vector is kept, since any charge may be disputed. Of the charges that come out good only a
sample is made an example: which ones is decided by a hash of the charge, so that every replica and
every replay chooses the same. Each stands for `1 / negative_rate` charges, of the rate at which it
was drawn: that is kept with it, and another setting holds for the charges that come after it. Of
the holdout all are: each of its labels has cost something, and they are few.

Frauds are known weeks before the genuine charges of their time are (verification latency). A model
that learns both as they come learns what tells this month from the last: merchants are older now,
cards better known. So what tells fraud is learned from the dispute and its controls: some charges
of the same time that are not disputed by now, as in a nested case-control study (Prentice and
Breslow 1978, "Retrospective studies and failure time models"; Thomas 1977, in the addendum to
Liddell, McDonald and Thomas, "Methods of cohort analysis"). A control may turn out fraud later, as
rarely as any charge. How frequent fraud is can only be learned from what has matured::

              weight   stands_for
    fraud       1          1          at the dispute
    controls    1          0          with it
    genuine     0     1 / negative_rate   past the horizon
    imputed    0.5         0          when it is blocked

What was let through at random, or passed its challenge, stands for the like of it that was stopped:
its numbers are divided by its propensity, within a limit. An imputed fraud is a blocked charge that
is drawn by its score to be taken for one, so that what is blocked is not forgotten (the direct
method of Dudik, Langford and Li 2011, "Doubly robust policy evaluation and learning"). It is no
label.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.scored import ALLOW, BLOCK, CHALLENGE
from streams.durations import DAY_S
from streams.events.rows import Rows
from streams.labels.maturing import KEPT_BEFORE, is_stopped, is_timed, matured_charges
from streams.labels.pending import (
    ANSWERED,
    CANCELLED,
    DAY_BYTES,
    FRAUD_LABEL,
    HASH_RANGE,
    IN_TIME,
    MATURED,
    PENDING,
    PENDING_LAYOUT,
    REFUNDED,
    WAS_STOPPED,
    WENT_THROUGH,
    big_endian,
    day_key,
    hashes_in,
    kept_keys,
)
from streams.labels.timers import Timers
from streams.state.tables import TaskState
from streams.wire.examples import BY_SILENCE, CONTROL, EXAMPLE, EXAMPLE_LAYOUT, IMPUTED
from streams.wire.matured import MATURED_CHARGE

IMPUTED_WEIGHT = 0.5
"""How much a blocked charge counts that is taken for a fraud; measured, see `tests/quality`."""

CONTROLS = 40
"""Charges that a fraud is compared with; measured: 20 lose 0.01 of the average precision."""

_DAYS_AT_A_TIME = 32
"""Days on which a disputed charge is sought at once, from the latest one back."""

IsLater = Callable[[bytes], bool]

NO_EXAMPLES: Rows = np.empty(0, EXAMPLE)

NONE_MATURED: Rows = np.empty(0, MATURED_CHARGE)

assert PENDING.fields is not None
_LABELS_AT = PENDING.fields["labels"][1]
_ACTION_AT = PENDING.fields["action"][1]
_NO_NEGATIVE = CANCELLED | MATURED | REFUNDED


@dataclass(frozen=True, slots=True)
class LabelRules:
    """When a charge gets its label.

    Attributes
    ----------
    horizon_s
        Seconds of stream time after which an undisputed charge is a negative.
    retention_s
        Seconds for which a dispute still finds its charge.
    negative_rate
        Share of the charges to come that is made examples if they are negatives, above 0 and at
        most 1.
    is_advisory
        Whether every charge went through, whatever its action was.
    weight_max
        How many charges one stands for at the most, by the inverse of its propensity.
    challenge_success_share
        Share of the frauds that a challenge stops.
    """

    horizon_s: float
    retention_s: float
    negative_rate: float
    is_advisory: bool = False
    weight_max: float = 3.0
    challenge_success_share: float = 0.0

    def __post_init__(self) -> None:
        assert 0 < self.negative_rate <= 1
        assert 0 <= self.horizon_s <= self.retention_s


class Kept(NamedTuple):
    """A kept charge: PENDING, and the key it is under."""

    key: bytes
    charge: np.void

    def apart_s(self, time: float) -> float:
        """Return how far from a time it was created, seconds."""
        return abs(float(self.charge["created"]) - time)


class Matured(NamedTuple):
    """What came of silence: EXAMPLE[N] of negatives, and all that matured, MATURED_CHARGE[M]."""

    negatives: Rows
    charges: Rows


class LabelJoin:
    """Keeps scored charges of one task until their labels are known.

    Parameters
    ----------
    state
        Tables of the task.
    rules
        When labels come.
    """

    def __init__(self, state: TaskState, rules: LabelRules) -> None:
        self._pending = state.pending
        self._reader = state.reader(PENDING_LAYOUT)
        self._timers = Timers(state.timers)
        self._rules = rules

    def reload(self) -> None:
        """Ask the tables again, after their changes were discarded."""
        self._timers.reload()

    def keep(self, charges: Rows, kept: Rows, matured_until: npt.NDArray[np.float64]) -> None:
        """Keep scored charges.

        Parameters
        ----------
        charges
            EVENT[N] of charges, no duplicates.
        kept
            PENDING[N] of the same charges; `stands_for` and `labels` are set here, and `propensity`
            where actions are advisory.
        matured_until
            f8[N], creation time up to which charges have matured when each comes; one that is
            older than that (very late indeed) matures as soon as time moves on.
        """
        keys = kept_keys(charges)
        sampled = charges["charge"][:, 0] < self._rules.negative_rate * HASH_RANGE
        kept["stands_for"] = np.where(sampled, 1.0 / self._rules.negative_rate, 0.0)
        kept["stands_for"][kept["withheld"] != ALLOW] = 1.0
        if self._rules.is_advisory:
            kept["propensity"][kept["action"] != ALLOW] = 1.0
        kept["labels"] = np.where(is_stopped(kept), WAS_STOPPED, WENT_THROUGH)
        timed = is_timed(kept)
        due_at = np.maximum(charges["created"], matured_until).tolist()
        size, raw = PENDING.itemsize, kept.tobytes()
        for i, key in enumerate(keys):
            self._pending.put(key, raw[i * size : (i + 1) * size])
            if timed[i]:
                self._timers.add(due_at[i], key[DAY_BYTES:], key)

    def find(
        self,
        charges: npt.NDArray[np.uint64],
        around: npt.NDArray[np.float64],
        back_s: float,
        ahead_s: float,
    ) -> list[Kept | None]:
        """Find kept charges by their hash; of several, the one that is nearest in time.

        Parameters
        ----------
        charges
            u8[N, 2] charge hashes.
        around
            f8[N] times near which the charges were created, Unix seconds.
        back_s, ahead_s
            How far from that time to look, seconds.

        Returns
        -------
        list
            N findings, `None` where nothing is kept.
        """
        hashes = big_endian(charges)
        days = [
            range(int((time + ahead_s) // DAY_S), max(0, int((time - back_s) // DAY_S)) - 1, -1)
            for time in around.tolist()
        ]
        longest = max(map(len, days), default=1)
        # Back alone, whatever is found is nearer than all on the days before.
        at_a_time = _DAYS_AT_A_TIME if ahead_s == 0.0 else longest
        found: list[Kept | None] = [None] * len(charges)
        for start in range(0, longest, at_a_time):
            sought = [
                (i, day_key(day) + hashes[i])
                for i, kept in enumerate(found)
                if kept is None
                for day in days[i][start : start + at_a_time]
            ]
            self._find_nearest(sought, around, found)
        return found

    def _find_nearest(
        self,
        sought: Sequence[tuple[int, bytes]],
        around: npt.NDArray[np.float64],
        found: list[Kept | None],
    ) -> None:
        """Look keys up for the places in `found` that they are sought for."""
        values = self._pending.get_many([key for _, key in sought])
        for (i, key), value in zip(sought, values, strict=True):
            if value is None:
                continue
            kept, best = Kept(key, self._reader.rows([value])[0]), found[i]
            if best is None or kept.apart_s(around[i]) < best.apart_s(around[i]):
                found[i] = kept

    def is_kept(self, key: bytes, now: float) -> bool:
        """Whether the charge that was kept under `key` still is, at a stream time, Unix seconds.

        It is for the whole day on which it is forgotten, whether a commit has done so or not.
        """
        return key >= self._first_key(now) and self._pending.get(key) is not None

    def was_blocked(self, key: bytes) -> bool:
        """Whether a kept charge was blocked, as far as is known."""
        charge = self._charge(key)
        is_blocked = charge["action"][0] == BLOCK and not charge["labels"][0] & WENT_THROUGH
        return bool(is_blocked) and not self._rules.is_advisory

    def fraud(self, key: bytes, now: float, source: int, matured_until: float) -> Rows:
        """Take the word of a dispute or a verdict, at a stream time, that a kept charge is a fraud.

        `matured_until` is as for `keep`, at that time.

        Returns
        -------
        EXAMPLE[0 or 1]
            A positive, unless the charge has been one before.
        """
        charge = self._charge(key)
        if charge["labels"][0] & FRAUD_LABEL:
            return NO_EXAMPLES
        is_past = self._is_past(charge, now)
        was_silent = is_past and self._went_through(charge)[0]
        charge["labels"] |= FRAUD_LABEL if was_silent else FRAUD_LABEL | CANCELLED
        if not is_past:
            charge["labels"] |= IN_TIME
            if charge["card"][0] != KEPT_BEFORE and not is_timed(charge)[0]:
                due_at = max(float(charge["created"][0]), matured_until)
                self._timers.add(due_at, key[DAY_BYTES:], key)
        self._pending.put(key, charge.tobytes())
        example = self._examples([key], charge, now, source)
        example["label"] = 1
        stands_for = self._stand_for(charge, are_frauds=True)
        example["weight"] = np.where(charge["withheld"] != ALLOW, 1.0, stands_for)
        example["stands_for"] = stands_for
        return example

    def settle(
        self, key: bytes, now: float, *, went_through: bool, is_answered: bool = False
    ) -> Rows:
        """Take an outcome's word, at a stream time, on whether a kept charge went through.

        Past the horizon silence has said what it can: of a charge that is only now known to have
        gone through at once, of any other nothing is changed. `is_answered` tells that it is the
        word of who gave another action than the scored one.

        Returns
        -------
        EXAMPLE[0 or 1]
            A negative.
        """
        charge = self._charge(key)
        is_past = self._is_past(charge, now)
        if is_past and (not went_through or self._went_through(charge)[0]):
            return NO_EXAMPLES
        labels = int(charge["labels"][0]) & ~(WENT_THROUGH | WAS_STOPPED)
        labels |= WENT_THROUGH if went_through else WAS_STOPPED
        labels |= ANSWERED if is_answered else 0
        is_negative = is_past and charge["stands_for"][0] > 0.0 and not labels & _NO_NEGATIVE
        charge["labels"] = labels | MATURED if is_negative else labels
        self._pending.put(key, charge.tobytes())
        return self._negatives([key], charge, np.array([now])) if is_negative else NO_EXAMPLES

    def refund(self, key: bytes, now: float) -> None:
        """Take an outcome's word, at a stream time, that the money of a kept charge went back.

        Past the horizon it is too late, save for one that is not known to have gone through.
        """
        charge = self._charge(key)
        if not (self._is_past(charge, now) and self._went_through(charge)[0]):
            charge["labels"] |= REFUNDED
            self._pending.put(key, charge.tobytes())

    def impute(self, key: bytes, now: float) -> Rows:
        """Return EXAMPLE[1] of a charge blocked at a stream time, as the fraud it is taken for."""
        example = self._examples([key], self._charge(key), now, IMPUTED)
        example["label"] = 1
        example["weight"] = IMPUTED_WEIGHT
        return example

    def controls(self, key: bytes, now: float, is_later: IsLater) -> Rows:
        """Take charges to compare a fraud with: of its time, gone through, and no fraud by now.

        Keys begin with the day and go on with a hash, so those before the charge's own, from its
        hash on the day before, are the charges of a day in random order.

        Parameters
        ----------
        key
            The fraud's.
        now
            Stream time, Unix seconds.
        is_later
            Whether the charge of a key came after the dispute.

        Returns
        -------
        EXAMPLE[N]
            `CONTROLS` of them, fewer where there are no more.
        """
        day_before = day_key(max(int.from_bytes(key[:DAY_BYTES], "big") - 1, 0))
        first = max(day_before + key[DAY_BYTES:], self._first_key(now))
        chosen: list[bytes] = []
        values: list[bytes] = []
        for other, value in self._pending.scan(first, key):
            ours = self._reader.current(value)
            if self._is_comparable(ours) and not is_later(other):
                chosen.append(other)
                values.append(ours)
            if len(chosen) == CONTROLS:
                break
        kept = np.frombuffer(b"".join(values), PENDING)
        examples = self._examples(chosen, kept, now, CONTROL)
        examples["weight"] = 1.0
        return examples

    def mature(self, after: float, until: float) -> Matured:
        """Turn the undisputed sampled charges created from `after` up to `until` into negatives.

        Returns
        -------
        Matured
            In the order of their creation, the negatives without the charges disputed as fraud.
        """
        due_at: dict[bytes, float] = {}  # two charges of one id and day are kept as one
        for time, key in self._timers.take(after, until):
            due_at.setdefault(key, time)
        if not due_at:
            return Matured(NO_EXAMPLES, NONE_MATURED)
        values = [value for value in self._pending.get_many(list(due_at)) if value is not None]
        assert len(values) == len(due_at), "a charge is kept for longer than it takes to mature"
        kept = self._reader.rows(values)
        is_sampled = (kept["stands_for"] > 0.0) | (kept["card"] == KEPT_BEFORE)
        is_negative = (kept["labels"] & _NO_NEGATIVE == 0) & self._went_through(kept) & is_sampled
        charges = matured_charges(kept, hashes_in(list(due_at)), is_negative)
        keys = [key for key, chosen in zip(due_at, is_negative, strict=True) if chosen]
        kept["labels"] |= MATURED
        size, raw = PENDING.itemsize, kept[is_negative].tobytes()
        for i, key in enumerate(keys):
            self._pending.put(key, raw[i * size : (i + 1) * size])
        due = np.array(list(due_at.values()))[is_negative]
        negatives = self._negatives(keys, kept[is_negative], due + self._rules.horizon_s)
        return Matured(negatives, charges)

    def expire(self, after: float, until: float) -> None:
        """Forget the charges created before the day of `until`, once that day is a new one.

        From the first day on: late charges, and those that a restore brought back, go too.
        """
        today = int(until // DAY_S)
        if max(0, int(after // DAY_S)) < today:
            self._pending.drop(day_key(0), day_key(today))

    def _first_key(self, now: float) -> bytes:
        """Return before which key nothing counts as kept at a stream time, forgotten or not."""
        return day_key(max(0, int((now - self._rules.retention_s) // DAY_S)))

    def _charge(self, key: bytes) -> Rows:
        """Return the charge that is kept under `key`, PENDING[1]."""
        value = self._pending.get(key)
        assert value is not None
        return self._reader.rows([value])

    def _is_past(self, charge: Rows, now: float) -> bool:
        """Whether a charge, PENDING[1], is past the horizon at a stream time."""
        return bool(now > charge["created"][0] + self._rules.horizon_s)

    def _went_through(self, kept: Rows) -> npt.NDArray[np.bool_]:
        """Tell which of PENDING[N] went through: by what is known, else by their action."""
        by_action = (kept["action"] == ALLOW) | self._rules.is_advisory
        is_stopped = kept["labels"] & WAS_STOPPED != 0
        is_known = kept["labels"] & WENT_THROUGH != 0
        through: npt.NDArray[np.bool_] = is_known | ~is_stopped & by_action
        return through

    def _is_comparable(self, value: bytes) -> bool:
        """Whether a charge, PENDING as its bytes, can be a control."""
        labels = value[_LABELS_AT]
        if labels & (FRAUD_LABEL | WAS_STOPPED | REFUNDED):
            return False
        is_allowed = value[_ACTION_AT] == ALLOW or self._rules.is_advisory
        return bool(labels & WENT_THROUGH) or is_allowed

    def _stand_for(self, kept: Rows, *, are_frauds: bool) -> npt.NDArray[np.float64]:
        """Return how many each of PENDING[N] stands for: by inverse propensity, up to the limit.

        Of the frauds that a challenge meets few are seen: those that passed. Where it was told that
        one did, as it is then of the genuine ones, it stands for the others as well. What was
        answered otherwise, or whose action nobody carried out, stands for itself.
        """
        drawn = kept["withheld"] != ALLOW
        propensity = np.where(drawn, kept["propensity"], 1.0).astype(np.float64)
        if are_frauds:
            passed = (kept["action"] == CHALLENGE) & (kept["labels"] & WENT_THROUGH != 0)
            propensity[passed] = 1.0 - self._rules.challenge_success_share
        is_alone = kept["labels"] & ANSWERED != 0
        propensity[is_alone | (are_frauds and self._rules.is_advisory)] = 1.0
        return 1.0 / np.maximum(propensity, 1.0 / self._rules.weight_max)

    def _negatives(self, keys: Sequence[bytes], kept: Rows, at: npt.NDArray[np.float64]) -> Rows:
        examples = self._examples(keys, kept, at, BY_SILENCE)
        drawn_at = 1.0 / self._rules.negative_rate
        stands_for = np.where(kept["stands_for"] > 0.0, kept["stands_for"], drawn_at)
        examples["stands_for"] = stands_for * self._stand_for(kept, are_frauds=False)
        return examples

    def _examples(
        self,
        keys: Sequence[bytes],
        kept: Rows,
        at: float | npt.NDArray[np.float64],
        source: int,
    ) -> Rows:
        """Return EXAMPLE[N] of PENDING[N], which are of no weight yet."""
        examples = EXAMPLE_LAYOUT.new(len(keys))
        examples["source"] = source
        examples["charge"] = hashes_in(keys)
        examples["charged_at"] = kept["created"]
        examples["labelled_at"] = at
        examples["vector"] = kept["vector"]
        return examples
