"""The delayed join: scored vectors wait for their labels, and become examples to learn from.

::

    created                      created + horizon                    + retention
    |-- scored, vector kept ------|-- a negative, unless disputed ------|-- forgotten
          ^ fraud dispute: a positive at once        ^ still a positive

Every vector is kept, since any charge may be disputed. Of the charges that come out good only a
sample is made an example: which ones is decided by a hash of the charge, so that every replica and
every replay chooses the same. Each stands for `1 / negative_rate` charges, of the rate at which it
was drawn: that is kept with it, and another setting holds for the charges that come after it.

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
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.events.rows import Rows
from streams.features.entities import FEATURES
from streams.labels.timers import Timers
from streams.layouts.layout import HEAD, Record
from streams.state.tables import TaskState
from streams.wire.examples import EXAMPLE, EXAMPLE_LAYOUT

PENDING = np.dtype(
    [
        (HEAD, "u8"),
        ("created", "f8"),
        ("score", "f8"),
        ("stands_for", "f8"),
        ("labels", "u1"),
        ("action", "u1"),
        ("risk", "u1"),
        ("reason_count", "u1"),
        ("reasons", "u1", (5,)),
        ("model", "S32"),
        ("vector", "f4", (len(FEATURES),)),
    ]
)
"""What is kept of a scored charge: its vector, and the answer it got, for a duplicate.

`stands_for` is how many charges it stands for as a negative, by the rate at which it was drawn; 0
if it was not, or the first release kept it.
"""

PENDING_LAYOUT = Record("pending", PENDING, {"vector": FEATURES}, places_in={"reasons": "vector"})
"""What another version reads it by."""

FRAUD_LABEL, CANCELLED, MATURED = 1, 2, 4
"""Bits of `labels`: disputed as fraud; so before the horizon, hence never a negative; learned as
a negative."""

CONTROLS = 40
"""Charges that a fraud is compared with; measured: 20 lose 0.01 of the average precision."""

_DAYS_AT_A_TIME = 32
"""Days on which a disputed charge is sought at once, from the latest one back."""

IsLater = Callable[[bytes], bool]

NO_EXAMPLES: Rows = np.empty(0, EXAMPLE)

_KEY = np.dtype([("day", ">u4"), ("charge", ">u8", (2,))])
"""What a charge is kept under. Bytes sort as the numbers do: by day, then at random."""

_DAY_BYTES = _KEY["day"].itemsize
assert PENDING.fields is not None
_LABELS_AT = PENDING.fields["labels"][1]
_HASH_RANGE = float(2**64)


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
    """

    horizon_s: float
    retention_s: float
    negative_rate: float

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
            PENDING[N] of the same charges; `stands_for` is set here.
        matured_until
            f8[N], creation time up to which charges have matured when each comes; one that is
            older than that (very late indeed) matures as soon as time moves on.
        """
        keys = kept_keys(charges)
        sampled = charges["charge"][:, 0] < self._rules.negative_rate * _HASH_RANGE
        kept["stands_for"] = np.where(sampled, 1.0 / self._rules.negative_rate, 0.0)
        due_at = np.maximum(charges["created"], matured_until).tolist()
        size, raw = PENDING.itemsize, kept.tobytes()
        for i, key in enumerate(keys):
            self._pending.put(key, raw[i * size : (i + 1) * size])
            if sampled[i]:
                self._timers.add(due_at[i], key[_DAY_BYTES:], key)

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
        hashes = _big_endian(charges)
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
                (i, _day_key(day) + hashes[i])
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
        oldest = max(0, int((now - self._rules.retention_s) // DAY_S))
        return key[:_DAY_BYTES] >= _day_key(oldest) and self._pending.get(key) is not None

    def label(self, key: bytes, now: float) -> Rows:
        """Take a fraud dispute's word on the charge kept under `key`, at a stream time.

        Returns
        -------
        EXAMPLE[0 or 1]
            A positive, unless the charge has been one before.
        """
        value = self._pending.get(key)
        assert value is not None
        charge = self._reader.rows([value])[0]
        if charge["labels"] & FRAUD_LABEL:
            return np.empty(0, EXAMPLE)
        charge["labels"] |= FRAUD_LABEL
        if now <= charge["created"] + self._rules.horizon_s:
            charge["labels"] |= CANCELLED
        self._pending.put(key, charge.tobytes())
        example = EXAMPLE_LAYOUT.new(1)
        example["label"] = 1
        example["weight"] = example["stands_for"] = 1.0
        example["charge"] = _hashes_in([key])
        example["charged_at"] = charge["created"]
        example["labelled_at"] = now
        example["vector"] = charge["vector"]
        return example

    def controls(self, key: bytes, now: float, is_later: IsLater) -> Rows:
        """Take charges to compare a disputed one with: of its time, and not disputed by now.

        Keys begin with the day and go on with a hash, so those before the charge's own, from its
        hash on the day before, are the charges of a day in random order.

        Parameters
        ----------
        key
            The disputed charge's.
        now
            Stream time, Unix seconds.
        is_later
            Whether the charge of a key came after the dispute.

        Returns
        -------
        EXAMPLE[N]
            `CONTROLS` of them, fewer where there are no more.
        """
        day_before = _day_key(max(int.from_bytes(key[:_DAY_BYTES], "big") - 1, 0))
        chosen: list[bytes] = []
        values: list[bytes] = []
        for other, value in self._pending.scan(day_before + key[_DAY_BYTES:], key):
            ours = self._reader.current(value)
            if not ours[_LABELS_AT] & FRAUD_LABEL and not is_later(other):
                chosen.append(other)
                values.append(ours)
            if len(chosen) == CONTROLS:
                break
        kept = np.frombuffer(b"".join(values), PENDING)
        examples = EXAMPLE_LAYOUT.new(len(chosen))
        examples["weight"] = 1.0
        examples["charge"] = _hashes_in(chosen)
        examples["charged_at"] = kept["created"]
        examples["labelled_at"] = now
        examples["vector"] = kept["vector"]
        return examples

    def mature(self, after: float, until: float) -> Rows:
        """Turn the undisputed sampled charges created from `after` up to `until` into negatives.

        Returns
        -------
        EXAMPLE[N]
            In the order of their creation, without the charges disputed as fraud.
        """
        due_at: dict[bytes, float] = {}  # two charges of one id and day are kept as one
        for time, key in self._timers.take(after, until):
            due_at.setdefault(key, time)
        if not due_at:
            return NO_EXAMPLES
        values = [value for value in self._pending.get_many(list(due_at)) if value is not None]
        assert len(values) == len(due_at), "a charge is kept for longer than it takes to mature"
        kept = self._reader.rows(values)
        is_negative = kept["labels"] & (CANCELLED | MATURED) == 0
        keys = [key for key, chosen in zip(due_at, is_negative, strict=True) if chosen]
        kept["labels"] |= MATURED
        size, raw = PENDING.itemsize, kept[is_negative].tobytes()
        for i, key in enumerate(keys):
            self._pending.put(key, raw[i * size : (i + 1) * size])
        due = np.array(list(due_at.values()))
        return self._negatives(keys, kept[is_negative], due[is_negative])

    def expire(self, after: float, until: float) -> None:
        """Forget the charges created before the day of `until`, once that day is a new one.

        From the first day on: late charges, and those that a restore brought back, go too.
        """
        today = int(until // DAY_S)
        if max(0, int(after // DAY_S)) < today:
            self._pending.drop(_day_key(0), _day_key(today))

    def _negatives(self, keys: Sequence[bytes], kept: Rows, due: npt.NDArray[np.float64]) -> Rows:
        examples = EXAMPLE_LAYOUT.new(len(keys))
        examples["charge"] = _hashes_in(keys)
        examples["charged_at"] = kept["created"]
        examples["labelled_at"] = due + self._rules.horizon_s
        examples["vector"] = kept["vector"]
        drawn_at = 1.0 / self._rules.negative_rate
        examples["stands_for"] = np.where(kept["stands_for"] > 0.0, kept["stands_for"], drawn_at)
        return examples


def kept_key(charge: np.void) -> bytes:
    """Give the key under which a charge, a row of EVENT, is kept."""
    return kept_keys(np.atleast_1d(charge))[0]


def kept_keys(charges: Rows) -> list[bytes]:
    """Give the keys under which charges, EVENT[N], are kept."""
    keys = np.empty(len(charges), _KEY)
    keys["day"] = charges["created"] // DAY_S
    keys["charge"] = charges["charge"]
    size, raw = _KEY.itemsize, keys.tobytes()
    return [raw[i : i + size] for i in range(0, len(raw), size)]


def _big_endian(hashes: npt.NDArray[np.uint64]) -> list[bytes]:
    raw = hashes.astype(">u8").tobytes()
    return [raw[i : i + 16] for i in range(0, len(raw), 16)]


def _day_key(day: int) -> bytes:
    return day.to_bytes(_DAY_BYTES, "big")


def _hashes_in(keys: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(keys), _KEY)["charge"].astype(np.uint64)
