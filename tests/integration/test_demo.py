"""The demo on a real Kafka: its figures against the topics, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from confluent_kafka import Message
from rich.console import Console

from agents.commands import chargewatch
from agents.demo.cluster import DemoError, open_cluster
from agents.demo.figures import Report
from agents.demo.run import run
from agents.demo.scenario import Play, Scenario
from agents.demo.screen import Screen
from agents.demo.worker import Worker
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from agents.stages.decisions import expected_costs
from schemas.currency import bundled_rates
from streams.durations import DAY_S, HOUR_S
from streams.simulator import SimulatedEvent
from tests.integration.kafka import Kafka
from tests.integration.person import Person

STOPPED = {"challenge_failed", "challenge_abandoned", "review_fraud"}
WEEKS = (time.time() - 1.75e9) // (7 * DAY_S)
NOW = 1.75e9 + WEEKS * 7 * DAY_S  # the rhythm of the week is part of what is simulated
SMALL = Scenario(
    history_days=12,
    live_s=4,
    charges_per_s=300,
    charges_per_day=300,
    cards=300,
    merchants=40,
    label_horizon_days=3,
    seed=16,  # with disputes of live charges within the live part
)
EAGER = Costs(dispute_fee_usd=100.0, review_capacity_share=0.05)
"""Costs by which many charges are stopped."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where everything temporary is put, in this process and those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(Path(__file__).parents[2])
    return tmp_path


def processes_of(directory: Path) -> list[str]:
    """Return the processes that have been told a directory under this one."""
    shown = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if str(directory) in line]


def values(messages: list[Message]) -> list[dict[str, object]]:
    return [orjson.loads(message.value() or b"") for message in messages]


def average_precision(scored: list[dict[str, object]], fraud: set[object]) -> float:
    """Mean over the frauds of the share of frauds among what scores at least as high."""
    precisions: list[float] = []
    scores = {event["charge"]: float(str(event["score"])) for event in scored}
    for threshold in sorted(set(scores.values()), reverse=True):
        flagged = [charge in fraud for charge, score in scores.items() if score >= threshold]
        precisions += [sum(flagged) / len(flagged)] * (sum(flagged) - len(precisions))
    return sum(precisions) / len(precisions)


class Analyst(Screen):
    """Reads what the demo says, and looks at its console when it stays.

    Parameters
    ----------
    kafka, prefix
        Where the demo's topics are.
    """

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self.out = StringIO()
        super().__init__(Console(file=self.out, width=100), SMALL)
        self._kafka, self._prefix = kafka, prefix
        self.there: dict[str, list[Message]] = {}
        self._shown = 0

    @contextmanager
    def step(self, doing: str) -> Iterator[Callable[[str], None]]:
        if doing.startswith("The stream goes on"):
            self._look_before_it_goes_on()
        with super().step(doing) as done:
            yield done

    def _look_before_it_goes_on(self) -> None:
        for name in ("charges", "disputes", "outcomes", "scored", "charges.rejected", "models"):
            self.there[name] = self._kafka.read_all(f"{self._prefix}{name}")
        port, password = re.findall(
            r"at http://127.0.0.1:(\d+).* by the password (\S+)", self.said
        )[0]
        self._person = Person(int(port), "viewer", password)
        scored = len({event["charge"] for event in values(self.there["scored"])})
        deadline = time.monotonic() + 60.0
        while (shown := self._charges_shown()) < scored and time.monotonic() < deadline:
            time.sleep(0.1)
        assert shown == scored
        self._shown = shown

    def sleep(self, seconds: float) -> None:
        """Wait as the demo does; Ctrl-C once the console shows that the stream goes on."""
        time.sleep(seconds)
        if self._shown and self._charges_shown() > self._shown:
            raise KeyboardInterrupt

    def _charges_shown(self) -> int:
        """Return the sum of the charges by day of the overview."""
        days = re.findall(
            r"<td>\d{4}-\d\d-\d\d</td><td class=\"number\">([\d,]+)<",
            self._person.get("/?days=30").text,
        )
        return sum(int(day.replace(",", "")) for day in days)

    @property
    def said(self) -> str:
        return self.out.getvalue()


def test_every_figure_is_what_the_topics_and_the_console_say(
    kafka: Kafka, prefix: str, temporary: Path
) -> None:
    settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix, costs=EAGER)
    analyst = Analyst(kafka, prefix)
    play = Play(replace(SMALL, stays=True), NOW + 6 * HOUR_S)  # so it is at NOW when it stays
    began = time.monotonic()
    report = run(settings, play, analyst, analyst.sleep)
    elapsed_s = time.monotonic() - began
    counts, live, there = report.counts, report.live, analyst.there

    charges = there["charges"]
    disputes = values(there["disputes"])
    answers = there["scored"]
    scored = [event for event in values(answers) if "duplicate" not in event]
    assert len(charges) == counts.charges + counts.duplicates + counts.damaged
    assert len({event["charge"] for event in scored}) == len(scored) == counts.charges
    assert report.answered_once == counts.scored == len(scored)
    assert counts.duplicates_answered == len(answers) - len(scored) == counts.duplicates
    rejected = there["charges.rejected"]
    assert counts.rejected == len(rejected) == sum(count for _, count in report.reasons) > 0
    errors = {dict(message.headers() or [])["error"] for message in rejected}
    assert {text.encode() for text, _ in report.reasons} <= errors
    assert counts.disputes == len(disputes)
    frauds = {event["charge"] for event in disputes if event["reason"] == "fraudulent"}
    told = outcomes_by_charge(there["outcomes"])
    frauds |= {charge for charge, outcome in told.items() if outcome == "review_fraud"}
    assert 0 < report.model.frauds <= len(frauds)
    versions = [snapshot["version"] for snapshot in values(there["models"])]
    assert report.model.version in versions, "the worker goes on learning until it is stopped"

    of_live = [event for event in scored if float(str(event["created"])) >= play.live_start]
    simulated = list(SMALL.simulation(NOW).events())
    disputed = {
        event.value["charge"]
        for event in simulated
        if event.topic == "disputes" and event.value["reason"] == "fraudulent"
    }
    assert live.charges == len(of_live)
    assert live.frauds == len({event["charge"] for event in of_live} & disputed) > 0
    assert live.average_precision == pytest.approx(average_precision(of_live, disputed))
    assert sum(count.charges for count in report.actions) == len(of_live)
    check_what_was_carried_out(report, play, simulated, scored, told)
    came = {dispute["id"] for dispute in disputes}
    stopped = {
        event["charge"]
        for event in published_live(play, simulated, scored)
        if event["action"] == "block" or told.get(event["charge"]) in STOPPED
    }
    until_now = [e for e in simulated if e.topic == "disputes" and e.publish_time <= NOW]
    assert came == {e.value["id"] for e in until_now if e.value["charge"] not in stopped}
    assert counts.withheld == len(until_now) - len(came) > 0
    inputs = {dict(message.headers() or [])["topic"] for message in rejected}
    assert inputs == {f"{prefix}charges".encode()}, "no dispute and no outcome was rejected"
    # What the broker's clock saw of the way lies within what was measured around it.
    assert 0 < in_broker_ms(charges, answers, play.live_start) <= report.latency.p50_ms
    assert report.latency.p50_ms <= report.latency.p99_ms <= report.latency.max_ms
    assert report.latency.max_ms < elapsed_s * 1e3
    assert SMALL.live_s <= report.live_s < elapsed_s

    assert f"The topics {prefix}* are still there" in analyst.said
    assert analyst.said.index("Summary") < analyst.said.index("The stream goes on")
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


def outcomes_by_charge(messages: list[Message]) -> dict[object, str]:
    """Return what the outcomes on the topic say, one of each charge, in order of their time."""
    outcomes = values(messages)
    told = {outcome["charge"]: str(outcome["outcome"]) for outcome in outcomes}
    assert len(told) == len(outcomes) > 0
    return told


def published_live(
    play: Play, simulated: list[SimulatedEvent], scored: list[dict[str, object]]
) -> list[dict[str, object]]:
    """Return the scored events of charges that were published in the live part."""
    live = {
        event.value["id"]
        for event in simulated
        if event.topic == "charges" and event.publish_time >= play.live_start
        if not event.duplicate and not event.fault
    }
    return [event for event in scored if event["charge"] in live]


def check_what_was_carried_out(
    report: Report,
    play: Play,
    simulated: list[SimulatedEvent],
    scored: list[dict[str, object]],
    told: dict[object, str],
) -> None:
    """Compare the figures with outcomes; those asked last are told of only after the end."""
    asked = {
        event["charge"]: str(event["action"])
        for event in published_live(play, simulated, scored)
        if event["action"] in {"challenge", "review"}
    }
    assert told.keys() <= asked.keys(), "nobody acted on the history"
    assert all(asked[charge] == outcome.split("_")[0] for charge, outcome in told.items())
    assert report.counts.outcomes == report.outcomes_taken == len(told)
    assert report.counts.outcomes_rejected == 0

    disputed = {e.value["id"] for e in simulated if e.topic == "charges" and e.disputed}
    least = {"caught": [0, 0.0], "refused": [0, 0.0], "missed": [0, 0.0]}
    most = {name: [0, 0.0] for name in least}
    held_out = []
    for event in scored:
        if float(str(event["created"])) < play.live_start:
            continue
        charge, action = event["charge"], str(event["action"])
        is_open = charge in asked and charge not in told
        is_stopped = action == "block" or told.get(charge) in STOPPED
        usd = bundled_rates().usd(int(str(event["amount"])), str(event["currency"]))
        truth = np.array([float(charge in disputed)])
        cost = expected_costs(truth, np.array([usd]), EAGER)[:, 0]
        if "holdout" in event:
            held_out.append(charge)
        for name, holds, part in (
            ("caught", is_stopped and charge in disputed, cost[0]),
            ("refused", is_stopped and charge not in disputed, cost[3]),
            ("missed", not is_stopped and not is_open and charge in disputed, cost[0]),
        ):
            for sums, counts in ((least, holds), (most, holds or is_open)):
                sums[name][0] += counts
                sums[name][1] += float(part) * counts
    found = report.balance
    for name, costing in (
        ("caught", found.stopped_frauds),
        ("refused", found.stopped_genuine),
        ("missed", found.missed_frauds),
    ):
        assert least[name][0] <= costing.charges <= most[name][0], name
        assert least[name][1] - 1e-6 <= costing.cost <= most[name][1] + 1e-6, name
    assert least["caught"][0] > 0
    assert found.holdout == len(held_out)
    assert found.stopped_frauds.charges + found.missed_frauds.charges == report.live.frauds


def in_broker_ms(charges: list[Message], answers: list[Message], live_start: float) -> float:
    """Return the median time between a live charge and its scored event being appended."""
    appended: dict[object, int] = {}
    for message, event in zip(charges, values(charges), strict=True):
        appended.setdefault(event["id"], message.timestamp()[1])
    took = sorted(
        message.timestamp()[1] - appended[event["charge"]]
        for message, event in zip(answers, values(answers), strict=True)
        if float(str(event["created"])) >= live_start and "duplicate" not in event
    )
    return float(took[len(took) // 2])


def test_a_second_demo_on_the_same_topics_is_refused(kafka: Kafka, prefix: str) -> None:
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "CHARGEWATCH_TOPIC_PREFIX": prefix}
    assert CliRunner().invoke(chargewatch, ["topics"], env=env).exit_code == 0
    kafka.produce(f"{prefix}charges", [(b"card_1", b"{}")])
    result = CliRunner().invoke(chargewatch, ["demo"], env=env)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"Error: topic {prefix}charges: holds charges already; give the demo a --topic-prefix of "
        "its own"
    ), result.exc_info


def test_interrupt_stops_and_removes_everything(kafka: Kafka, temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "agents", "demo"],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "the console is at" in line:
                break
        assert len(processes_of(temporary)) == 2, "worker and console, by their directories"
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert output.endswith("Stopped before the end; what the demo started is gone.\n")
    assert re.search(r"The topics demo-[0-9a-f]{8}\.\* are still there", output)
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


def test_a_worker_that_fails_is_shown_with_the_end_of_its_log(
    kafka: Kafka, prefix: str, temporary: Path
) -> None:
    (temporary / "worker").write_text("a file where a directory should be")
    settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)
    with open_cluster(settings) as cluster:
        cluster.make_topics()
        with Worker(cluster, temporary, 14) as worker, pytest.raises(DemoError) as failure:
            worker.wait_until_ready(time.sleep)
    headline, *log = str(failure.value).splitlines()
    assert re.fullmatch(r"the worker ended with code \d+; the end of its log:", headline)
    assert any(str(temporary / "worker") in line for line in log), log
