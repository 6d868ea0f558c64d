"""The backtest: nothing is known before its time, and batches make no difference."""

from __future__ import annotations

import subprocess
import sys
from bisect import bisect_left, bisect_right
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from agents.backtest.backtest import MODEL_INTERVAL_S, Backtest
from agents.backtest.replay import Replay
from agents.evaluation.outcome_collector import Gathering
from agents.models import blend
from agents.models.kinds import DEFAULT
from agents.models.prior import VERSION
from agents.settings.schema import Settings
from agents.stages.card_in_memory import Cards
from streams.events.files import write_events
from streams.events.rows import CHARGE, FRAUD_DISPUTE
from streams.simulator import Simulation

if TYPE_CHECKING:
    from pathlib import Path

    from agents.backtest.backtest import Step
    from agents.evaluation.outcomes import Outcomes
    from streams.events.batch import TimedBatch

DAY_S = 86_400.0
HORIZON_DAYS = 2.0
EVERY = 250
START = 1_700_000_000.0
MIDDLE = START + 11 * DAY_S

Lines = dict[str, list[bytes]]


@pytest.fixture(scope="module", params=[3])
def lines(request: pytest.FixtureRequest) -> Lines:
    """Return charges and disputes, some of them published late or twice."""
    simulation = Simulation(
        seed=request.param,
        cards=300,
        merchants=30,
        start=START,
        days=15,
        charges_per_day=200,
        fraud_rate=0.06,
        dispute_delay_scale=0.1,
        duplicate_share=0.02,
    )
    events: Lines = {"charges": [], "disputes": []}
    for event in simulation.events():
        events[event.topic].append(orjson.dumps(event.value))
    return events


@pytest.fixture(scope="module")
def whole(lines: Lines, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the scored events of everything."""
    return scored(lines, tmp_path_factory.mktemp("whole"))


def events_of(lines: Lines, directory: Path) -> list[TimedBatch]:
    """Write files and replay them."""
    for topic, events in lines.items():
        write_events(directory / f"{topic}.jsonl", events)
    files = Replay(directory / "charges.jsonl", directory / "disputes.jsonl", inf)
    for _ in files.survey():
        pass
    return [part.events for part in files.parts()]


def settings(**given: Any) -> Settings:
    return Settings(
        label_horizon_days=HORIZON_DAYS,
        **{"snapshot_every_examples": EVERY, "negative_rate": 1.0, **given},
    )


def scored(
    lines: Lines, directory: Path, max_batch: int = 4000, kind: str = DEFAULT
) -> list[bytes]:
    backtest = Backtest(settings(max_batch=max_batch), lambda: 0.0, kind=kind)
    return [
        event
        for events in events_of(lines, directory)
        for step in backtest.run(events)
        for event in step.output.scored
    ]


def before(scored_events: list[bytes], time: float) -> list[bytes]:
    return [event for event in scored_events if orjson.loads(event)["created"] < time]


@pytest.mark.parametrize("max_batch", [3, 100_000])
def test_batches_make_no_difference(
    lines: Lines, whole: list[bytes], tmp_path: Path, max_batch: int
) -> None:
    assert scored(lines, tmp_path, max_batch) == whole
    assert len({orjson.loads(event)["model"] for event in whole}) > 10


@pytest.mark.parametrize(
    ("every", "rate", "max_batch"),
    [(12, 0.2, 4000), (EVERY, 1.0, 150)],
)
def test_steps_over_many_intervals_give_what_one_for_each_gives(
    lines: Lines, tmp_path: Path, every: int, rate: float, max_batch: int
) -> None:
    """Whatever waits: disputes for their charge, charges for their silence to say something."""
    created = {charge["id"]: charge["created"] for charge in map(orjson.loads, lines["charges"])}
    disputes = list(map(orjson.loads, lines["disputes"]))
    for dispute in disputes[::3]:
        dispute["created"] = created[dispute["charge"]] - DAY_S
    lines = lines | {"disputes": list(map(orjson.dumps, disputes))}
    given = settings(
        snapshot_every_examples=every,
        negative_rate=rate,
        max_batch=max_batch,
        orphan_wait_hours=720,
    )
    one_each, many = Backtest(given, lambda: 0.0), Backtest(given, lambda: 0.0)
    cards = Cards(given)
    steps: list[Step] = []
    for events in events_of(lines, tmp_path):
        expected = list(one_each.run(events))
        result = [step for counted in cards.count(events) for step in many.score(counted)]
        assert [event for step in result for event in step.output.scored] == [
            event for step in expected for event in step.output.scored
        ]
        if not expected:  # disputes alone, which wait
            assert not result
            continue
        for name in ("charges", "first_of_card"):
            np.testing.assert_array_equal(joined(result, name), joined(expected, name))
        examples = [
            np.concatenate([step.output.examples for step in steps]) for steps in (result, expected)
        ]
        assert examples[0].tobytes() == examples[1].tobytes()
        steps += result
    assert many.learned() == one_each.learned()
    count = len(joined(steps, "charges"))
    intervals = len(np.unique(joined(steps, "charges")["created"] // MODEL_INTERVAL_S))
    assert count > 2000
    assert intervals > 1000
    if every == EVERY:
        assert len(steps) < intervals / 2


def joined(steps: list[Step], name: str) -> Any:
    return np.concatenate([getattr(step, name) for step in steps])


def test_no_score_depends_on_a_later_dispute(
    lines: Lines, whole: list[bytes], tmp_path: Path
) -> None:
    early = [line for line in lines["disputes"] if orjson.loads(line)["created"] < MIDDLE]
    assert 50 < len(early) < len(lines["disputes"])
    result = scored(lines | {"disputes": early}, tmp_path)
    assert before(result, MIDDLE) == before(whole, MIDDLE)
    assert result != whole


def test_trees_are_those_of_the_labels_before_them_in_any_batches(
    lines: Lines, tmp_path: Path
) -> None:
    early = [line for line in lines["disputes"] if orjson.loads(line)["created"] < MIDDLE]
    whole = scored(lines, tmp_path, kind=blend.KIND)
    result = scored(lines | {"disputes": early}, tmp_path, 1000, blend.KIND)
    assert before(result, MIDDLE) == before(whole, MIDDLE)
    trainings = {orjson.loads(event)["model"].rpartition(".")[2] for event in whole}
    assert {"1", "2", "3"} <= trainings


def test_no_score_depends_on_a_later_charge(
    lines: Lines, whole: list[bytes], tmp_path: Path
) -> None:
    changed = []
    for line in lines["charges"]:
        event = orjson.loads(line)
        if event["created"] >= MIDDLE:
            event["amount"] *= 3
        changed.append(orjson.dumps(event))
    result = scored(lines | {"charges": changed}, tmp_path)
    assert before(result, MIDDLE) == before(whole, MIDDLE)
    assert result != whole


def test_every_score_is_of_the_model_that_knew_all_labels_of_its_time(
    lines: Lines, whole: list[bytes], tmp_path: Path
) -> None:
    """Count by hand what could be learned before each charge, and so which model must score it."""
    compared = controls(events_of(lines, tmp_path))
    charges: dict[str, float] = {}
    for line in lines["charges"]:
        event = orjson.loads(line)
        charges.setdefault(event["id"], event["created"])
    disputed: dict[str, float] = {}
    times = sorted(charges.values())
    for line in lines["disputes"]:
        event = orjson.loads(line)
        if event["reason"] == "fraudulent":
            first = min(event["created"], disputed.get(event["charge"], inf))
            disputed[event["charge"]] = first
    assert len(compared) == len(disputed)
    spoken = [*disputed.values(), *(time for time, count in compared for _ in range(count))]
    # Stream time is that of the charges: a dispute is late once a charge has passed the horizon.
    silent = [
        created + HORIZON_DAYS * DAY_S
        for charge, created in charges.items()
        if charge not in disputed
        or times[bisect_right(times, disputed[charge]) - 1] > created + HORIZON_DAYS * DAY_S
    ]
    spoken.sort()
    silent.sort()

    versions: set[str] = set()
    for text in whole:
        event = orjson.loads(text)
        if event.get("duplicate"):
            continue  # it has the answer of the first
        interval = event["created"] // MODEL_INTERVAL_S * MODEL_INTERVAL_S
        earlier = bisect_left(times, interval)
        # Silence counts as soon as a charge shows that its time has passed, and a dispute just
        # before the first charge that is newer: this one, or the one after which the model changed.
        now = times[earlier - 1] if earlier else 0.0
        known = bisect_left(spoken, times[earlier]) + bisect_left(silent, now)
        version = f"{DEFAULT}-{known // EVERY * EVERY:010d}"
        # The prior scores until the model is ready, and never again.
        assert event["model"] in ({version} if versions else {version, VERSION}), event
        if event["model"] == version:
            versions.add(version)
    assert len(versions) > 10


def controls(parts: list[TimedBatch]) -> list[tuple[float, int]]:
    """Count the charges that each fraud can be compared with when it is disputed.

    They are in the order of their days, and of their hashes within a day; up to 40 of those from
    its own hash on the day before until itself, without the ones that are disputed already.
    """
    charges: dict[tuple[int, int], tuple[int, int, int]] = {}
    disputed: set[tuple[int, int]] = set()
    counts = []
    for row in (row for part in parts for row in part.batch.rows):
        charge = (int(row["charge"][0]), int(row["charge"][1]))
        if row["kind"] == CHARGE:
            charges.setdefault(charge, (int(row["created"] // DAY_S), *charge))
        elif row["kind"] == FRAUD_DISPUTE and charge not in disputed:
            disputed.add(charge)
            last = charges[charge]
            first = (last[0] - 1, *charge)
            of_its_time = sum(
                first <= place < last and other not in disputed for other, place in charges.items()
            )
            counts.append((float(row["created"]), min(40, of_its_time)))
    return counts


def test_outcomes_are_those_of_the_files(lines: Lines, tmp_path: Path) -> None:
    """Every charge counts once; a dispute counts whenever it comes; the period is half open."""
    start, end = START + 4 * DAY_S, START + 9 * DAY_S
    result = gathered(lines, tmp_path, start, end)
    charges: dict[str, Any] = {}
    for line in sorted(lines["charges"], key=lambda line: orjson.loads(line)["created"]):
        event = orjson.loads(line)
        charges.setdefault(event["id"], event)
    disputes = [orjson.loads(line) for line in lines["disputes"]]
    frauds = {event["charge"] for event in disputes if event["reason"] == "fraudulent"}
    expected = [event for event in charges.values() if start <= event["created"] < end]
    assert len(lines["charges"]) > len(charges) > len(expected) > 500
    assert result.created.tolist() == [event["created"] for event in expected]
    assert result.fraud.tolist() == [event["id"] in frauds for event in expected]
    assert len(set(result.card.tolist())) == len({event["card"] for event in expected})
    dollars = [event["amount"] / 100 for event in expected if event["currency"] == "usd"]
    usd = [event["currency"] == "usd" for event in expected]
    assert result.amount[usd] == pytest.approx(dollars)

    def parts(name: str) -> list[str]:
        segment = result.segments[name]
        return [segment.names[part] for part in segment.part.tolist()]

    assert parts("channel") == [event.get("channel") or "not given" for event in expected]
    assert parts("country") == [event.get("card_country") or "not given" for event in expected]
    seen: set[str] = set()
    new = set()
    for event in charges.values():
        if event["card"] not in seen:
            new.add(event["id"])
        seen.add(event["card"])
    assert parts("card_history") == [
        "new" if event["id"] in new else "seen before" for event in expected
    ]


def gathered(lines: Lines, directory: Path, start: float, end: float) -> Outcomes:
    backtest = Backtest(settings(negative_rate=0.01), lambda: 0.0)
    gathering = Gathering(start, end)
    for events in events_of(lines, directory):
        gathering.add_events(events.batch.rows)
        for step in backtest.run(events):
            output = step.output
            gathering.add_scored(step.charges, step.first_of_card, output.answers, output.scored)
    assert gathering.charges == len(lines["charges"])
    ids = [orjson.loads(line)["id"] for line in lines["charges"]]
    assert gathering.duplicates == len(ids) - len(set(ids)) > 10
    return gathering.outcomes()


def test_what_reads_ahead_imports_nothing_of_the_merchant_stage() -> None:
    """A backtest waits for the process that reads to begin, and models take a second to import."""
    code = "import sys, agents.backtest.card_pass; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"agents.stages.merchant", "river", "faust"} & set(shown.stdout.split()) == set()
