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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.scored import ALLOW, BLOCK, CHALLENGE
from streams.events.rows import Rows
from streams.features.entities import FEATURES
from streams.features.spec import Feature
from streams.labels.horizons import Horizons
from streams.labels.kept import KeptCharges
from streams.labels.label_rules import LabelRules
from streams.labels.maturing import KEPT_BEFORE, is_stopped, is_timed, matured_charges
from streams.labels.pending import (
    ANSWERED,
    CANCELLED,
    DAY_BYTES,
    FRAUD_LABEL,
    HASH_RANGE,
    IN_TIME,
    KEY_BYTES,
    MATURED,
    PENDING,
    REFUNDED,
    WAS_STOPPED,
    WENT_THROUGH,
    day_key,
    hashes_in,
    kept_keys,
    method_code,
    method_in,
    method_key,
    pending_layout,
)
from streams.state.tables import TaskState
from streams.wire.examples import BY_SILENCE, CONTROL, IMPUTED, example_layout
from streams.wire.matured import MATURED_CHARGE

IMPUTED_WEIGHT = 0.5
"""How much a blocked charge counts that is taken for a fraud; measured, see `tests/quality`."""

CONTROLS = 40
"""Charges that a fraud is compared with; measured: 20 lose 0.01 of the average precision."""

IsLater = Callable[[bytes], bool]

NONE_MATURED: Rows = np.empty(0, MATURED_CHARGE)

assert PENDING.fields is not None
_LABELS_AT = PENDING.fields["labels"][1]
_ACTION_AT = PENDING.fields["action"][1]
_NO_NEGATIVE = CANCELLED | MATURED | REFUNDED


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
    features
        The columns of the vectors.
    entities
        Kinds of shared entities that charges have.

    Attributes
    ----------
    kept
        The charges.
    horizons
        How far silence has come.
    no_examples
        EXAMPLE[0].
    """

    def __init__(
        self,
        state: TaskState,
        rules: LabelRules,
        features: Sequence[Feature] = FEATURES,
        entities: Sequence[str] = (),
    ) -> None:
        self._kept_layout = pending_layout(features, entities)
        self._example_layout = example_layout(features)
        self.kept = KeptCharges(state, self._kept_layout, rules)
        self.horizons = Horizons(state, rules)
        self.no_examples: Rows = self._example_layout.new(0)
        self._rules = rules

    def keep(
        self,
        charges: Rows,
        kept: Rows,
        times: npt.NDArray[np.float64],
        methods: npt.NDArray[np.uint32],
    ) -> None:
        """Keep scored charges.

        Parameters
        ----------
        charges
            EVENT[N] of charges, no duplicates.
        kept
            PENDING[N] of the same charges; `stands_for` and `labels` are set here, and `propensity`
            where actions are advisory.
        times
            f8[N], stream time when each comes, Unix seconds. One that is past its horizon by then
            (very late indeed) matures as soon as time moves on.
        methods
            u4[N], the codes of methods with times of their own, 0 for all others.
        """
        keys = kept_keys(charges)
        due_at = np.maximum(charges["created"], self.horizons.matured_until(times))
        if methods.any():
            self._set_apart(charges, times, methods, keys, due_at)
        sampled = charges["charge"][:, 0] < self._rules.negative_rate * HASH_RANGE
        kept["stands_for"] = np.where(sampled, 1.0 / self._rules.negative_rate, 0.0)
        kept["stands_for"][kept["withheld"] != ALLOW] = 1.0
        if self._rules.is_advisory:
            kept["propensity"][kept["action"] != ALLOW] = 1.0
        kept["labels"] = np.where(is_stopped(kept), WAS_STOPPED, WENT_THROUGH)
        timed = is_timed(kept)
        self.kept.put(keys, kept)
        for i, at in zip(np.flatnonzero(timed).tolist(), due_at[timed].tolist(), strict=True):
            self.horizons.set(keys[i], at)

    def was_blocked(self, key: bytes) -> bool:
        """Whether a kept charge was blocked, as far as is known."""
        charge = self.kept.charge(key)
        is_blocked = charge["action"][0] == BLOCK and not charge["labels"][0] & WENT_THROUGH
        return bool(is_blocked) and not self._rules.is_advisory

    def fraud(self, key: bytes, now: float, source: int) -> Rows:
        """Take the word of a dispute or a verdict, at a stream time, that a kept charge is a fraud.

        Returns
        -------
        EXAMPLE[0 or 1]
            A positive, unless the charge has been one before.
        """
        charge = self.kept.charge(key)
        if charge["labels"][0] & FRAUD_LABEL:
            return self.no_examples
        is_past = self._is_past(key, charge, now)
        was_silent = is_past and self._went_through(charge)[0]
        charge["labels"] |= FRAUD_LABEL if was_silent else FRAUD_LABEL | CANCELLED
        if not is_past:
            charge["labels"] |= IN_TIME
            if charge["card"][0] != KEPT_BEFORE and not is_timed(charge)[0]:
                matured_until = self.horizons.matured_until(np.array([now]), method_in(key))
                self.horizons.set(key, max(float(charge["created"][0]), float(matured_until[0])))
        self.kept.put([key], charge)
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
        charge = self.kept.charge(key)
        is_past = self._is_past(key, charge, now)
        if is_past and (not went_through or self._went_through(charge)[0]):
            return self.no_examples
        labels = int(charge["labels"][0]) & ~(WENT_THROUGH | WAS_STOPPED)
        labels |= WENT_THROUGH if went_through else WAS_STOPPED
        labels |= ANSWERED if is_answered else 0
        is_negative = is_past and charge["stands_for"][0] > 0.0 and not labels & _NO_NEGATIVE
        charge["labels"] = labels | MATURED if is_negative else labels
        self.kept.put([key], charge)
        return self._negatives([key], charge, np.array([now])) if is_negative else self.no_examples

    def refund(self, key: bytes, now: float) -> None:
        """Take an outcome's word, at a stream time, that the money of a kept charge went back.

        Past the horizon it is too late, save for one that is not known to have gone through.
        """
        charge = self.kept.charge(key)
        if not (self._is_past(key, charge, now) and self._went_through(charge)[0]):
            charge["labels"] |= REFUNDED
            self.kept.put([key], charge)

    def impute(self, key: bytes, now: float) -> Rows:
        """Return EXAMPLE[1] of a charge blocked at a stream time, as the fraud it is taken for."""
        example = self._examples([key], self.kept.charge(key), now, IMPUTED)
        example["label"] = 1
        example["weight"] = IMPUTED_WEIGHT
        return example

    def controls(self, key: bytes, now: float, is_later: IsLater) -> Rows:
        """Take charges to compare a fraud with: of its time, gone through, and no fraud by now.

        Keys begin with the day and go on with a hash, so those before the charge's own, from its
        hash on the day before, are the charges of a day in random order, of whatever methods: what
        tells one method from another is to be learned, too. Where the others' charges are forgotten
        already, they are those of the fraud's own method.

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
        first, end = day_before + key[DAY_BYTES:KEY_BYTES], key[:KEY_BYTES]
        chosen: list[bytes] = []
        values: list[bytes] = []
        for other, value in self.kept.between(first, end, now):
            if self._is_comparable(value) and not is_later(other):
                chosen.append(other)
                values.append(value)
            if len(chosen) == CONTROLS:
                break
        comparable = np.frombuffer(b"".join(values), self._kept_layout.dtype)
        examples = self._examples(chosen, comparable, now, CONTROL)
        examples["weight"] = 1.0
        return examples

    def mature(self, now: float) -> Matured:
        """Turn the undisputed sampled charges past their horizon at a stream time into negatives.

        Returns
        -------
        Matured
            In the order of their labels, the negatives without the charges disputed as fraud.
        """
        due_at = self.horizons.take(now)
        if not due_at:
            return Matured(self.no_examples, NONE_MATURED)
        kept = self.kept.charges(list(due_at))
        is_sampled = (kept["stands_for"] > 0.0) | (kept["card"] == KEPT_BEFORE)
        is_negative = (kept["labels"] & _NO_NEGATIVE == 0) & self._went_through(kept) & is_sampled
        charges = matured_charges(kept, hashes_in(list(due_at)), is_negative)
        keys = [key for key, chosen in zip(due_at, is_negative, strict=True) if chosen]
        kept["labels"] |= MATURED
        self.kept.put(keys, kept[is_negative])
        times = np.array(list(due_at.values()))[is_negative]
        return Matured(self._negatives(keys, kept[is_negative], times), charges)

    def _set_apart(
        self,
        charges: Rows,
        times: npt.NDArray[np.float64],
        methods: npt.NDArray[np.uint32],
        keys: list[bytes],
        due_at: npt.NDArray[np.float64],
    ) -> None:
        """Give charges of methods with their own times their own keys and times, in place."""
        for code in np.unique(methods[methods > 0]).tolist():
            method, places = method_key(code), np.flatnonzero(methods == code)
            matured_until = self.horizons.matured_until(times[places], method)
            due_at[places] = np.maximum(charges["created"][places], matured_until)
            for place in places.tolist():
                keys[place] += method

    def _is_past(self, key: bytes, charge: Rows, now: float) -> bool:
        """Whether a charge, PENDING[1], is past its horizon at a stream time."""
        horizon_s = self._rules.times(method_code(method_in(key))).horizon_s
        return bool(now > charge["created"][0] + horizon_s)

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
        examples = self._example_layout.new(len(keys))
        examples["source"] = source
        examples["charge"] = hashes_in(keys)
        examples["charged_at"] = kept["created"]
        examples["labelled_at"] = at
        examples["vector"] = kept["vector"]
        return examples
