"""The console on a real Kafka: what people decide is on the topics, whoever dies."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from confluent_kafka import Producer

from agents.evaluation.trial.wording import action_listing, match_listing
from deploy.local_kafka import LocalKafka
from schemas.audit import decode_audit_event
from streams.kafka.config import client_config
from tests.docs.exported import lacking
from tests.integration.gateway import Gateway, charge
from tests.integration.kafka import Kafka
from tests.integration.person import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.worker import WorkerProcess

RULE = "# all: all\nreview if :amount: > 5"
WIDER = "# wider:\nblock if :amount: > 50"
PASSWORD = "correct horse battery"
USERS = {"ann": "administrator", "bob": "analyst", "eve": "analyst", "mia": "manager"}


@pytest.fixture
def gateway(kafka: Kafka, prefix: str, tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(kafka, prefix, tmp_path) as made:
        yield made


def chargewatch(gateway: Gateway, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agents", *arguments],
        env=os.environ | gateway.env, input=given, text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def let_in(gateway: Gateway, *names: str) -> None:
    for name in names:
        told = chargewatch(
            gateway, "users", "add", name, "--role", USERS[name], given=f"{PASSWORD}\n"
        )
        assert told == f"{name} may sign in, as {USERS[name]}\n"


def until(is_so: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def send(gateway: Gateway, charges: list[dict[str, Any]]) -> None:
    gateway.kafka.produce(
        gateway.topics.charges, [(each["card"].encode(), orjson.dumps(each)) for each in charges]
    )


def verdict(number: int | str, **more: str) -> dict[str, str]:
    told = {"charge": f"ch_{number}", "card": f"tok_{number}", "before": "", "queue": ""}
    return {**told, "verdict": "fraud", **more}


def test_a_rule_of_the_console_sends_charges_to_its_queue_and_verdicts_come_back(
    gateway: Gateway,
) -> None:
    let_in(gateway, "bob", "eve", "mia")
    worker = gateway.worker()
    one, other = gateway.console(), gateway.console()
    mia, bob = Person(one.port, "mia", PASSWORD), Person(one.port, "bob", PASSWORD)
    eve = Person(other.port, "eve", PASSWORD)
    put = mia.post("/rules", merchant="*", text="# all: all\nreview if :amount: > 5",
                   made_from="0", note="all")  # fmt: skip
    assert "Version 1 is in force" in put.text

    def reviewed(number: str) -> bool:
        send(gateway, [charge(number)])
        [event] = gateway.scored_of(f"ch_{number}")
        return bool(event["action"] == "review" and event["decided_by"] == "rule:all")

    until(lambda: reviewed(f"try-{time.time_ns()}"), "the rule is in force")
    send(gateway, [charge(number) for number in range(20)])
    for person in (bob, eve):
        until(lambda who=person: "ch_19" in who.get("/reviews?sort=newest").text, "they wait")  # type: ignore[misc]
    assert "/charge?" in bob.post("/charge/claim", **verdict(1)).url
    refused = eve.post("/charge/verdict", **verdict(1))
    assert refused.status == 409
    assert "bob works at this charge" in refused.text
    assert "ch_1 found to be fraud" in bob.post("/charge/verdict", **verdict(1)).text
    until(lambda: "found fraud" in eve.get("/charge?id=ch_1").text, "the other console knows")
    late = eve.post("/charge/verdict", **verdict(1, verdict="genuine"))
    assert late.status == 409
    assert bob.post("/charge/note", **verdict(1), text="called them").status == 200
    until(lambda: "called them" in eve.get("/charge?id=ch_1").text, "the other console has it")
    assert [each["outcome"] for each in gateway.outcomes()["ch_1"]] == ["review_fraud"]
    assert [each["by"] for each in gateway.outcomes()["ch_1"]] == ["bob"]
    assert bob.post("/rules", merchant="*", text="", made_from="1").status == 403
    audit = mia.get("/audit").text
    assert all(each in audit for each in ("rules changed", "verdict", "claim", "note", "sign in"))
    assert "rdkafka" in mia.get("/health").text  # the worker, by its client
    assert chargewatch(gateway, "users", "remove", "bob") == "bob may sign in no longer\n"
    until(lambda: "/sign-in" in bob.get("/reviews").url, "his session has ended")
    _check_metrics(worker, one)
    what_the_worker_counts_is_told(gateway, mia)
    assert one.stop() == 0
    assert "Traceback" not in gateway.logs()
    assert PASSWORD not in gateway.logs()


def cells_of(text: str) -> dict[str, list[str]]:
    """Return the rows of a table by their first cell."""
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in text.split("<tr>")]
    return {row[0]: row[1:] for row in rows if row}


def what_the_worker_counts_is_told(gateway: Gateway, mia: Person) -> None:
    """Compare what the page of a card and of a merchant tell with what was sent."""
    same = {"card": "tok_busy", "merchant": "corner"}
    for number in range(3):
        send(gateway, [charge(f"busy_{number}", **same)])
        until(lambda n=number: bool(gateway.scored_of(f"ch_busy_{n}")), "it is scored")  # type: ignore[misc]
    for kind, at_it in (("card", "on this card"), ("merchant", "at this merchant")):
        page = mia.get(f"/history?kind={kind}&value={same[kind]}").text
        [part] = re.findall(r'hx-get="(/aggregates[^"]+)"', page)
        told = cells_of(mia.get(html.unescape(part)).text)
        assert told[f"charges {at_it}"][:5] == ["3"] * 5
        spent = "spent" if kind == "card" else "charged"
        assert told[f"{spent} {at_it}"][:5] == ["59.97"] * 5
    before = cells_of(mia.get("/aggregates?kind=card&id=ch_busy_1").text)
    assert before["charges on this card"] == ["2"] * 5
    now = mia.get("/now").text
    assert re.search(r"<b>[0-9]+ ms</b>|<b>[0-9.]+ s</b>", now), now
    until(lambda: ">0</a>" in mia.get("/now").text, "the workers have taken everything")
    assert "No charge has matured yet" in mia.get("/models/calibration").text


def _check_metrics(worker: WorkerProcess, console: WorkerProcess) -> None:
    """All that dashboards ask for is exported, and what has happened by now is counted."""
    assert lacking(worker.page("/metrics")[1], "agents/worker/README.md") == set()
    assert lacking(console.page("/metrics")[1], "agents/web/console/README.md") == set()
    scored = worker.metric("chargewatch_scored_total")
    assert scored > 20
    for name in ('stage_seconds_count{stage="card"', 'stage_seconds_count{stage="merchant"',
                 "scores_count", "decided_total", 'cache_lookups_total{entity="card"'):  # fmt: skip
        assert worker.metric_from(f"chargewatch_{name}") == scored, name
    assert worker.metric_from("chargewatch_scored_usd_total") == pytest.approx(scored * 19.99)
    assert worker.metric("chargewatch_lag_messages") == 0.0
    assert len(re.findall(r"\nchargewatch_lag_seconds{", worker.page("/metrics")[1])) == 10
    for process, client in ((worker, "inputs"), (worker, "producer"), (console, "follower")):
        asked = f'chargewatch_kafka_round_trip_seconds{{broker="1",client="{client}"'
        until(lambda p=process, a=asked: p.metric_from(a) > 0.0, f"{client} tells of itself")  # type: ignore[misc]
    assert console.metric("chargewatch_console_reviews_waiting") > 10.0
    assert console.metric("chargewatch_read_model_behind_seconds") < 30.0


def test_nothing_that_was_answered_is_lost_when_the_console_is_killed(gateway: Gateway) -> None:
    """Verdicts; rules that one manager proposes and another puts in force."""
    let_in(gateway, "ann", "bob", "mia")
    gateway.worker()
    console = gateway.console(CHARGEWATCH_CONSOLE_FOUR_EYES="true")
    mia, ann = (Person(console.port, name, PASSWORD) for name in ("mia", "ann"))
    approve(ann, propose(mia, RULE, made_from=0), version=1)
    waiting = propose(mia, f"{RULE}\n{WIDER}", made_from=1)
    send(gateway, [charge(number) for number in range(60)])
    gateway.wait_until_scored(60)
    until(lambda: "ch_59" in mia.get("/search?id=ch_59").text, "the read model has them")
    answered = _decide_until_it_is_killed(console)
    again = gateway.console(CHARGEWATCH_STATE_DIR=str(console.state_dir))
    outcomes = gateway.outcomes()
    assert len(answered) >= 5
    assert answered <= outcomes.keys()
    acts = [
        decode_audit_event(message.value() or b"")
        for message in gateway.kafka.read_all(gateway.topics.audit)
    ]
    assert {each.subject for each in acts if each.action == "verdict"} == outcomes.keys()
    bob = Person(again.port, "bob", PASSWORD)
    for name in answered:
        until(lambda which=name: "found fraud" in bob.get(f"/charge?id={which}").text, name)  # type: ignore[misc]
    ann = Person(again.port, "ann", PASSWORD)
    approve(ann, waiting, version=2)
    assert {each.by for each in acts if each.action == "rules_approved"} == {"ann"}
    assert {each.by for each in acts if each.action == "rules_proposed"} == {"mia"}
    assert again.stop() == 0
    assert "Traceback" not in again.text()


def test_a_backtest_tells_what_the_command_does_and_leaves_no_file(
    gateway: Gateway, tmp_path: Path
) -> None:
    let_in(gateway, "ann")
    send(gateway, [charge(number) for number in range(60)])
    files = tmp_path / "files"
    files.mkdir()
    console = gateway.console(TMPDIR=str(files))
    ann = Person(console.port, "ann", PASSWORD)
    ann.post("/rules", merchant="*", text=RULE, made_from="0", note="")
    is_told_as_by_the_command(gateway, ann, tmp_path)
    begin_backtest(ann)
    until(lambda: list(files.iterdir()) != [], "it copies the topics")
    assert console.stop() == 0
    assert list(files.iterdir()) == []
    assert "Traceback" not in console.text()


def test_an_edit_does_not_wait_for_who_has_died_while_writing(gateway: Gateway) -> None:
    endless = {"transactional.id": "dead", "transaction.timeout.ms": 900_000}
    dead = Producer(gateway.kafka.config | endless)
    dead.init_transactions()
    dead.begin_transaction()
    dead.produce(gateway.topics.audit, b"{}")
    dead.flush()
    let_in(gateway, "ann", "mia")
    console = gateway.console(CHARGEWATCH_CONSOLE_FOUR_EYES="true")
    mia, ann = (Person(console.port, name, PASSWORD) for name in ("mia", "ann"))
    approve(ann, propose(mia, RULE, made_from=0), version=1)
    dead.abort_transaction()


def propose(person: Person, text: str, made_from: int) -> str:
    """Propose rules, and return where the proposal is."""
    seen = person.post("/rules", merchant="*", text=text, made_from=str(made_from), note="")
    assert "Proposed: another manager" in seen.text
    return seen.url.rpartition("=")[2]


def approve(person: Person, number: str, version: int) -> None:
    seen = person.post("/rules/proposal/approve", id=number, note="")
    assert f"Version {version} is in force" in seen.text, seen


def begin_backtest(person: Person) -> None:
    seen = person.post("/rules/backtest", merchant="*", text=f"{RULE}\n{WIDER}", days="0")
    assert "Cancel" in seen.text


def is_told_as_by_the_command(gateway: Gateway, person: Person, directory: Path) -> None:
    """Try rules by the console and by the command, on the same topics."""
    begin_backtest(person)
    until(lambda: "hx-get" not in person.get("/rules/backtest").text, "it ends", 120.0)
    seen = person.get("/rules/backtest").text
    (directory / "rules.txt").write_text(f"{RULE}\n{WIDER}")
    printed = chargewatch(gateway, "rules", "backtest", str(directory / "rules.txt"), "--json")
    told = orjson.loads(printed[: printed.rindex("}") + 1])
    assert told["all"]["charges"] == 60
    assert "version 1 that is in force" in seen
    cells = [html.unescape(each) for each in re.findall(r"<td[^>]*>([^<]*)</td>", seen)]
    listings = action_listing(told), match_listing(told, has_conditions=True)
    for row in (row for listing in listings for row in listing.rows):
        at = cells.index(row[0])
        cells = cells[at:]
        assert cells[: len(row)] == row


def _decide_until_it_is_killed(console: WorkerProcess) -> set[str]:
    """Return the charges whose verdict was answered, of some that were on their way."""
    bob = Person(console.port, "bob", PASSWORD)
    answered, enough = set[str](), Event()

    def decide(number: int) -> None:
        try:
            seen = bob.post("/charge/verdict", **verdict(number))
        except OSError:  # it is dead
            return
        if seen.status == 200:
            answered.add(f"ch_{number}")
            if len(answered) >= 5:
                enough.set()

    with ThreadPoolExecutor(6) as pool:
        for number in range(60):
            pool.submit(decide, number)
        assert enough.wait(60)
        console.kill()
    return answered


def test_while_the_broker_is_dead_nothing_is_done_and_then_all_goes_on(
    prefix: str, tmp_path: Path
) -> None:
    with (
        LocalKafka() as local,
        Gateway(Kafka(client_config(local.bootstrap_servers, {})), prefix, tmp_path) as gateway,
    ):
        let_in(gateway, "mia")
        console = gateway.console()
        mia = Person(console.port, "mia", PASSWORD)
        entry = {"list": "watched", "value": "tok_1"}
        local.kill()
        until(lambda: console.page("/readyz")[0] == 503, "it is noted that the broker is away")
        began = time.monotonic()
        refused = mia.post("/lists", **entry)
        assert refused.status == 503
        assert "Kafka does not answer: nothing was done" in refused.text
        assert mia.get("/").status == 200
        assert "The brokers do not answer" in mia.get("/health").text
        assert time.monotonic() - began < 5.0
        local.restart()
        until(lambda: console.page("/readyz")[0] == 200, "it is noted that the broker is back")
        until(lambda: "tok_1 is on @watched" in mia.post("/lists", **entry).text, "it goes on")
        log = console.text()
        assert log.count("Kafka does not answer") == log.count("Kafka answers again") == 1
        assert "FAIL" not in log
        assert "Traceback" not in log
