"""The controls of a disputed charge: who they are, and that they are a fair sample."""

from __future__ import annotations

import numpy as np
import pytest

from streams.events.rows import EVENT, Rows
from streams.labels.join import CONTROLS, LabelJoin
from streams.labels.label_rules import LabelRules
from streams.labels.pending import PENDING_LAYOUT, kept_keys
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from streams.wire.examples import BY_DISPUTE

DAY = 86_400.0
START = 19_700 * DAY
RULES = LabelRules(10 * DAY, 40 * DAY, 0.1)


def charges_of(seed: int, days: int, a_day: int) -> Rows:
    """Return charges in the order of their time; the vector's first number will be the place."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(days * a_day, EVENT)
    rows["created"] = START + np.sort(rng.random(len(rows))) * days * DAY
    rows["charge"] = rng.integers(0, 2**64, (len(rows), 2), np.uint64, endpoint=False)
    return rows


def kept(rows: Rows, committed: int) -> LabelJoin:
    """Keep charges, some of them committed."""
    state = TaskState(MemoryStore())
    labels = LabelJoin(state, RULES)
    pending = PENDING_LAYOUT.new(len(rows))
    pending["created"] = rows["created"]
    pending["vector"][:, 0] = np.arange(len(rows))
    for part in (slice(committed), slice(committed, None)):
        if len(rows[part]):
            times, none = rows["created"][part], np.zeros(len(rows[part]), np.uint32)
            labels.keep(rows[part], pending[part], times, none)
            if part.stop == committed:
                state.commit(1)
    return labels


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share_committed", [0.0, 0.5, 1.0])
def test_they_are_undisputed_charges_of_about_the_same_time(
    seed: int, share_committed: float
) -> None:
    rows = charges_of(seed, days=4, a_day=120)
    keys = kept_keys(rows)
    labels = kept(rows, int(share_committed * len(rows)))
    rng = np.random.default_rng(100 + seed)
    frauds = set(rng.choice(len(rows), 100, replace=False).tolist())
    for place in frauds:
        labels.fraud(keys[place], rows["created"][-1], BY_DISPUTE)
    came = rng.integers(len(rows) // 2, len(rows))
    place = {key: place for place, key in enumerate(keys)}
    for fraud in sorted(frauds):
        at = float(rows["created"][-1]) + 5.0
        found = labels.controls(keys[fraud], at, lambda key: place[key] > came)
        chosen = found["vector"][:, 0].astype(int).tolist()
        assert len(set(chosen)) == len(chosen) <= CONTROLS
        assert not frauds & set(chosen)
        assert all(other <= came for other in chosen)
        day = rows["created"][fraud] // DAY
        assert set(np.unique(rows["created"][chosen] // DAY)) <= {day - 1, day}
        np.testing.assert_array_equal(found["charge"], rows["charge"][chosen])
        np.testing.assert_array_equal(found["charged_at"], rows["created"][chosen])
        assert (found["labelled_at"] == at).all()
        assert (found["label"] == 0).all()
        assert (found["weight"] == 1.0).all()
        assert (found["stands_for"] == 0.0).all()
        if day > START // DAY and came == len(rows) - 1:
            assert len(chosen) == CONTROLS


def test_every_charge_of_the_time_is_as_likely_to_be_one() -> None:
    """Of a day with a quiet and a busy half, the halves are chosen in proportion."""
    seed = 5
    rng = np.random.default_rng(seed)
    rows = charges_of(seed, days=1, a_day=3000)
    quiet = rng.random(3000) < 0.1
    rows["created"] = START + DAY * np.where(
        quiet, 0.5 * rng.random(3000), 0.5 + 0.5 * rng.random(3000)
    )
    frauds = charges_of(seed + 1, days=1, a_day=400)
    frauds["created"] += DAY
    labels = kept(np.concatenate([rows, frauds]), 1000)
    chosen = np.concatenate([
        labels.controls(key, START + 3 * DAY, lambda _: False)["vector"][:, 0]
        for key in kept_keys(frauds)
    ]).astype(int)  # fmt: skip
    of_the_day = chosen[chosen < 3000]
    assert len(of_the_day) > 0.4 * len(chosen)
    share = quiet[of_the_day].mean()
    # Some 400 windows over 3,000 charges: hardly a charge is in none, so the share is nearly exact.
    assert share == pytest.approx(quiet.mean(), rel=0.1)


def test_the_first_charge_of_all_has_none() -> None:
    rows = charges_of(6, days=1, a_day=1)
    labels = kept(rows, 0)
    assert len(labels.controls(kept_keys(rows)[0], START + DAY, lambda _: False)) == 0


def test_a_charge_labelled_fraud_after_the_horizon_is_none_either() -> None:
    rows = charges_of(7, days=1, a_day=2)
    order = np.argsort(rows["charge"][:, 0])
    labels, keys = kept(rows, 2), kept_keys(rows)
    first, last = keys[order[0]], keys[order[1]]
    late = START + DAY + RULES.horizon_s + 5.0
    assert len(labels.controls(last, late, lambda _: False)) == 1
    labels.mature(START + 2 * DAY + RULES.horizon_s)
    assert len(labels.fraud(first, late, BY_DISPUTE)) == 1
    assert len(labels.controls(last, late, lambda _: False)) == 0
