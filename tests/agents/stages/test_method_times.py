"""Labels by the times of each payment method, against a list of all that happened."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest

from schemas.method_table import METHODS, PaymentMethod
from streams.kafka.topics import CHANGELOG_RETENTION_MS
from streams.labels.renewal import RENEWED_S
from streams.state.store import MemoryStore
from streams.state.tables import (
    CHARGES,
    METHOD_CHARGES,
    METHOD_PENDING,
    METHOD_TIMERS,
    PENDING,
    TIMERS,
)
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge, dispute

OF_OTHERS = (10.0, 40.0)
OWN = {"sepa_debit": (20.0, 90.0), "slow": (45.0, 60.0), "quick": (3.0, 8.0)}
"""Label horizon and dispute retention, days."""

TABLE = tuple(
    PaymentMethod(name=name, label_horizon_days=horizon, dispute_retention_days=retention)
    for name, (horizon, retention) in OWN.items()
)
SETTINGS: dict[str, Any] = {
    "label_horizon_days": OF_OTHERS[0], "dispute_retention_days": OF_OTHERS[1],
    "negative_rate": 1.0, "actions": "advisory", "orphan_wait_hours": 1.0,
}  # fmt: skip
NAMES = (None, "Visa", "boleto", "sepa_debit", "SEPA-Debit", "slow", "quick")


def times_of(name: str | None) -> tuple[float, float]:
    """Return the times of a method by its name, in days."""
    return OWN.get((name or "card").lower().replace("-", "_"), OF_OTHERS)


class Sent(NamedTuple):
    """A charge, the stream time when it came, and those of its disputes."""

    created: float
    method: str | None
    came: float
    disputed: list[float]


def new_run(**settings: Any) -> Run:
    return Run(**SETTINGS | {"payment_methods": TABLE} | settings)


def paid(name: str, created: float, method: str | None) -> Message:
    fields = {} if method is None else {"payment_method": method}
    return charge(name, created, card=f"card_{hash_of(name) % 5}", **fields)


def disputed(name: str, created: float) -> Message:
    return dispute(name, created, card=f"card_{hash_of(name) % 5}")


def hash_of(name: str) -> int:
    return int(name.removeprefix("c"))


def random_stream(seed: int) -> tuple[list[Message], list[Sent]]:
    """Make charges, some very late, and disputes before the horizon, past it, and too late."""
    random, now = Random(seed), START
    messages, sent = list[Message](), list[Sent]()
    due: list[tuple[float, int]] = []
    while len(sent) < 400:
        now += random.choice((0, 60, 5 * HOUR, 9 * HOUR, DAY))
        late = random.choice((0, 0, 0, 0, 0, HOUR, 2 * DAY, 5 * DAY, 15 * DAY))
        created = START + float(len({each.created for each in sent})) / 1024 + (now - late - START)
        number = len(sent)
        clock = max([created, *(each.came for each in sent[-1:])])
        sent.append(Sent(created, random.choice(NAMES), clock, []))
        messages.append(paid(f"c{number}", created, sent[number].method))
        horizon, retention = times_of(sent[number].method)
        for _ in range(random.choice((0, 0, 1, 2))):
            after = random.choice((0.1, 0.9 * horizon, horizon + 1.0, 0.9 * retention, 30.0, 100.0))
            due.append((created + after * DAY, number))
        for at, disputed_one in sorted(each for each in due if each[0] <= clock):
            due.remove((at, disputed_one))
            sent[disputed_one].disputed.append(clock)
            messages.append(disputed(f"c{disputed_one}", clock))
    end = now + 200 * DAY
    messages += [paid(f"c{len(sent) + place}", end + place, None) for place in range(2)]
    return messages, sent


def expected(sent: list[Sent], end: float) -> dict[float, set[tuple[int, float]]]:
    """Return of each charge, by its time, its labels and when they are there."""
    found: dict[float, set[tuple[int, float]]] = {}
    for each in sent:
        horizon, retention = (days * DAY for days in times_of(each.method))
        kept = [at for at in each.disputed if each.created // DAY >= (at - retention) // DAY]
        labels = {(1, kept[0])} if kept else set()
        if not any(at <= each.created + horizon for at in kept):
            at = max(each.created + horizon, each.came)
            labels |= {(0, at)} if at < end else set()
        found[each.created] = labels
    return found


def learned(run: Run) -> dict[float, set[tuple[int, float]]]:
    found: dict[float, set[tuple[int, float]]] = {}
    for row in run.outputs.learned():
        labels = found.setdefault(float(row["charged_at"]), set())
        labels.add((int(row["label"]), round(float(row["labelled_at"]), 4)))
    return found


def rounded(found: dict[float, set[tuple[int, float]]]) -> dict[float, set[tuple[int, float]]]:
    return {
        created: {(label, round(at, 4)) for label, at in labels}
        for created, labels in found.items()
        if labels
    }


@pytest.mark.parametrize("seed", range(4))
def test_every_charge_is_labelled_by_the_times_of_its_method(seed: int) -> None:
    """However batches are cut, with restarts, restores and failures in between."""
    messages, sent = random_stream(seed)
    random, run, start = Random(seed), new_run(), 0
    while start < len(messages):
        stop = start + random.choice((1, 3, 40))
        run.feed(*messages[start:stop])
        if random.random() < 0.1:
            run.roll_back()
            continue
        run.commit()
        random.choice((run.restart, run.restore, lambda: None))()
        start = stop
    found = learned(run)
    end = max(each.came for each in sent) + 200 * DAY
    assert {at: of for at, of in found.items() if at < end - DAY} == rounded(expected(sent, end))
    labels = [(each.method, label) for each in sent for label, _ in found.get(each.created, ())]
    for method in OWN:
        assert min(labels.count((method, 0)), labels.count((method, 1))) > 5, f"seed {seed}"
    assert len(run.outputs.rejected) > 10


def test_each_is_kept_for_as_long_as_its_method_asks_for() -> None:
    """To within a day of kept charges, and the 16 days of the index that are forgotten at once."""
    run, days = new_run(), 200
    for day in range(days):
        run.feed(
            *(
                paid(f"c{10 * day + place}", START + day * DAY + place, method)
                for place, method in enumerate((None, *OWN))
            )
        )
        run.commit()
    longest = [OF_OTHERS[1], *(retention for _, retention in OWN.values())]
    horizons = [OF_OTHERS[0], *(horizon for horizon, _ in OWN.values())]
    counts = {table: len(run.state(table)) for table in (PENDING, CHARGES, TIMERS)}
    assert longest[0] <= counts[PENDING] <= longest[0] + 2
    assert longest[0] <= counts[CHARGES] <= longest[0] + 18
    assert horizons[0] <= counts[TIMERS] <= horizons[0] + 2
    own = {t: len(run.state(t)) for t in (METHOD_PENDING, METHOD_CHARGES, METHOD_TIMERS)}
    assert sum(longest[1:]) <= own[METHOD_PENDING] <= sum(longest[1:]) + 6
    assert sum(longest[1:]) <= own[METHOD_CHARGES] <= sum(longest[1:]) + 54
    assert sum(horizons[1:]) <= own[METHOD_TIMERS] <= sum(horizons[1:]) + 6


@pytest.mark.parametrize("change", ["new", "longer", "shorter", "gone"])
def test_a_changed_table_spoils_nothing_that_is_there(change: str) -> None:
    """Each charge matures once: those that are there by the table of then where there was none.

    With an empty table a state is that of the version before, which had none.
    """
    before, after = {
        "new": ((), TABLE),
        "longer": (TABLE, (PaymentMethod(name="sepa_debit", label_horizon_days=35.0),)),
        "shorter": (TABLE, (PaymentMethod(name="sepa_debit", label_horizon_days=5.0),)),
        "gone": (TABLE, ()),
    }[change]
    run = new_run(payment_methods=before)
    count = 300
    first = [paid(f"c{n}", START + n * 2 * HOUR, ("sepa_debit", None)[n % 2]) for n in range(count)]
    run.feed(*first)
    run.commit()
    run.settings = new_run(payment_methods=after).settings
    run.restart()
    now = START + count * 2 * HOUR
    second = [
        paid(f"c{count + n}", now + n * 2 * HOUR, ("sepa_debit", None)[n % 2]) for n in range(count)
    ]
    run.feed(*second[:100])
    run.commit()
    run.restore()
    run.feed(disputed(f"c{count - 2}", now + 100 * 2 * HOUR))
    run.feed(*second[100:])
    end = now + 100 * DAY
    run.feed(paid("c9998", end, None))
    run.feed(paid("c9999", end + 1.0, None))
    rows = run.outputs.learned()
    negatives = rows[rows["label"] == 0]
    assert len(set(negatives["charged_at"].tolist())) == len(negatives)
    was_silent = change == "shorter"  # when it was disputed, at an age of 8 days
    assert len(negatives) == 2 * count - 1 + was_silent
    of_disputed = START + (count - 2) * 2 * HOUR
    assert negatives["charged_at"].tolist().count(of_disputed) == was_silent
    of_debits = {"new": 20.0, "longer": 35.0, "shorter": 5.0, "gone": 10.0}[change]
    for row in negatives[negatives["charged_at"] >= now]:
        is_debit = round((row["charged_at"] - START) / (2 * HOUR)) % 2 == 0
        horizon = of_debits if is_debit else 10.0
        assert row["labelled_at"] == pytest.approx(row["charged_at"] + horizon * DAY)


def test_debits_of_a_year_are_found_by_a_worker_that_has_nothing_but_the_changelog() -> None:
    """It has what was written in the last 200 days; a debit is disputed after 13 months."""
    run, step, days = Run(**SETTINGS | {"payment_methods": METHODS}), 3, 420
    written: list[tuple[float, dict[bytes, bytes | None]]] = []
    for day in range(0, days, step):
        now = START + day * DAY
        run.feed(paid(f"c{2 * day}", now, "sepa_debit"), paid(f"c{2 * day + 1}", now + 1.0, None))
        run.commit()
        written.append((now, dict(run.last_changes)))
    assert RENEWED_S + step * DAY < CHANGELOG_RETENTION_MS / 1e3
    kept = [changes for at, changes in written if at > now - CHANGELOG_RETENTION_MS / 1e3]
    run.store = MemoryStore()
    for number, changes in enumerate(kept, 1):
        run.store.write(changes, [], number)
    run.restart()
    debits = [day for day in range(0, days, step) if days - day < 396]
    run.feed(*(disputed(f"c{2 * day}", now) for day in debits))
    positives = run.outputs.learned()
    positives = positives[positives["label"] == 1]
    assert positives["charged_at"].tolist() == [START + day * DAY for day in debits]
    of_cards = [
        key for _, changes in written for key, value in changes.items()
        if key[:1] in (CHARGES, METHOD_CHARGES) and value
    ]  # fmt: skip
    twice = [key for key in of_cards if of_cards.count(key) > 1]
    assert {key[:1] for key in twice} == {METHOD_CHARGES}, "cards are written once"


def test_a_duplicate_is_answered_as_its_charge_whatever_method_it_names() -> None:
    run = new_run()
    run.feed(paid("c1", START, "sepa_debit"), paid("c2", START, None))
    run.commit()
    again = run.feed(paid("c1", START + 1.0, None), paid("c2", START + 1.0, "sepa_debit"))
    events = run.outputs.events()
    assert [event["duplicate"] for event in again] == [True, True]
    assert [event["score"] for event in again] == [event["score"] for event in events[:2]]


def test_controls_are_of_all_methods() -> None:
    """A card's fraud is compared with debits, and a debit's with cards."""
    run, methods = new_run(), (None, "sepa_debit", "slow")
    run.feed(
        *(paid(f"c{n}", START + n * 600.0, methods[n % 3]) for n in range(240)),
    )
    for fraud in (237, 238):
        before = len(run.outputs.controls())
        run.feed(disputed(f"c{fraud}", START + 239 * 600.0))
        controls = run.outputs.controls()[before:]
        numbers = np.round((controls["charged_at"] - START) / 600.0).astype(int)
        assert len(numbers) == 40
        assert set((numbers % 3).tolist()) == {0, 1, 2}
