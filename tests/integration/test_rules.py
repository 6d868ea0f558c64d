"""Rules and settings on a real Kafka: an analyst's way, and workers that follow it."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner

from agents.commands import chargewatch
from agents.policy.edits import Signature, put_rules
from agents.settings.schema import Settings
from agents.terminal.policy_topics import PolicyTopics
from streams.kafka.config import Admin, client_config
from streams.kafka.editor import EditError
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from confluent_kafka import Message

    from agents.policy.book import RulesBook
    from tests.integration.kafka import Kafka

PARTITIONS = 3
START = 1.75e9
CARDS = 60
SMALL, LARGE = 1000, 90_000
TIMEOUT_S = 60.0
BLOCK_LARGE = "# large: more than anybody sells for\nblock if :amount_usd: > 500\n"
REVIEW_LARGE = "# large: to be looked at\nreview if :amount_usd: > 500\n"


class Installation:
    """Topics, the command as people have it, and charges that go on."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        }
        admin = Admin(client_config(kafka.bootstrap_servers, {}))
        ensure_topics(admin, self.topics, PARTITIONS)
        self.sent = 0

    def command(self, *arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(chargewatch, [str(a) for a in arguments], env=self.env)
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: object) -> dict[str, Any]:
        """Return what a command prints, without its progress."""
        result = CliRunner().invoke(chargewatch, [str(a) for a in arguments], env=self.env)
        assert result.exit_code == 0, result.output
        printed: dict[str, Any] = orjson.loads(result.stdout)
        return printed

    def send(self, count: int = CARDS) -> None:
        """Publish charges, every third of them a large one."""
        charges = [
            {"id": f"c{number}", "created": START + number / 10, "currency": "usd",
             "amount": LARGE if number % 3 == 0 else SMALL, "card": f"card_{number % CARDS}",
             "merchant": f"shop_{number % 7}"}
            for number in range(self.sent, self.sent + count)
        ]  # fmt: skip
        self.sent += count
        events = [(str(each["card"]).encode(), orjson.dumps(each)) for each in charges]
        self.kafka.produce(self.topics.charges, events)

    def scored(self, first: int = 0) -> list[dict[str, Any]]:
        """Wait until all are scored; return what came of those from the `first` on."""
        messages = self.kafka.consume(self.topics.scored, self.sent)
        events = [orjson.loads(message.value() or b"") for message in messages]
        return [event for event in events if int(event["charge"][1:]) >= first]

    def wait_until(self, met: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until the charges that are scored by now are such."""
        deadline = time.monotonic() + TIMEOUT_S
        while not met([orjson.loads(m.value() or b"") for m in self._scored_by_now()]):
            assert time.monotonic() < deadline, "what was waited for has not come"

    def send_until(self, met: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Send charges again and again, until those of a round are such; return these."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            first = self.sent
            self.send()
            if met(events := self.scored(first)):
                return events
            assert time.monotonic() < deadline, "what was waited for has not come"

    def _scored_by_now(self) -> list[Message]:
        return self.kafka.read_all(self.topics.scored)


@pytest.fixture
def installation(kafka: Kafka, prefix: str) -> Installation:
    return Installation(kafka, prefix)


@pytest.fixture
def workers(installation: Installation, tmp_path: Path) -> Iterator[list[WorkerProcess]]:
    with ExitStack() as running:
        made = [
            running.enter_context(
                WorkerProcess(
                    tmp_path / f"worker-{number}",
                    installation.env | {"CHARGEWATCH_WORKER_ID": f"w{number}"},
                )
            )
            for number in range(PARTITIONS)
        ]
        for worker in made:
            worker.wait_until_ready()
        yield made


def versions_in_turn(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the versions by which the charges of each card were decided, in their order."""
    found: dict[str, list[str]] = {}
    for event in sorted(events, key=lambda event: event["created"]):
        found.setdefault(event["card"], []).append(event.get("rule_set", ""))
    return found


def has_version(version: str, events: list[dict[str, Any]]) -> bool:
    return any(event.get("rule_set") == version for event in events)


def test_rules_act_on_every_worker_within_a_second_and_outlive_them(
    installation: Installation, workers: list[WorkerProcess], tmp_path: Path
) -> None:
    """While charges come in a set is put, and another; a worker is killed, and comes back."""
    done = Event()

    def go_on() -> None:
        while not done.wait(0.02):
            installation.send(6)

    installation.send()
    installation.scored()  # without rules; a producer takes its time to find new topics
    sender = Thread(target=go_on)
    sender.start()
    put_at = []
    try:
        for version, text in (("*:1", BLOCK_LARGE), ("*:2", REVIEW_LARGE)):
            file = tmp_path / "rules.txt"
            file.write_text(text)
            installation.command("rules", "put", file)
            put_at.append(time.time())
            installation.wait_until(partial(has_version, version))
        workers[0].kill()
        with WorkerProcess(
            tmp_path / "worker-0", installation.env | {"CHARGEWATCH_WORKER_ID": "w0"}
        ) as again:
            again.wait_until_ready()
            sent = installation.sent
            installation.wait_until(lambda scored: len(scored) > sent)
            done.set()
            sender.join()
            events = installation.scored()
    finally:
        done.set()
        sender.join()
    assert len({event["charge"] for event in events}) == len(events) == installation.sent
    for event in events:
        is_large, version = event["amount"] == LARGE, event.get("rule_set", "")
        wanted = {"": "model", "*:1": "rule:large", "*:2": "rule:large"}[version]
        assert event["decided_by"] in ({wanted} if is_large else {"model", "holdout"})
        if is_large and version:
            assert event["action"] == {"*:1": "block", "*:2": "review"}[version]
    for turns in versions_in_turn(events).values():
        assert turns == sorted(turns), "no charge was decided by an older set than one before it"
    assert {event.get("rule_set", "") for event in events} == {"", "*:1", "*:2"}
    for version, at in zip(("*:1", "*:2"), put_at, strict=True):
        older = [e["scored_at"] for e in events if e.get("rule_set", "") < version]
        late = max(older) - at
        assert late < 1.0, f"a charge was scored by an older set {late:.3f} s after {version}"


def test_a_record_written_by_hand_that_is_none_changes_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    """The last good one stays, also for a worker that starts when only the bad one is left."""
    file = tmp_path / "rules.txt"
    file.write_text(BLOCK_LARGE)
    installation.command("rules", "put", file)
    with WorkerProcess(tmp_path / "first", installation.env) as worker:
        worker.wait_until_ready()
        bad = b'{"merchant":"*","version":2,"text":"block when :amount: > 5"}'
        installation.kafka.produce(installation.topics.rules, [(b"*", bad), (b"m1", b"[]")])
        while worker.metric("chargewatch_policy_rejected_total") < 2:
            time.sleep(0.05)
        assert "`if` is missing" in worker.text()
        installation.send()
        events = installation.scored()
    assert {event["rule_set"] for event in events} == {"*:1"}
    assert installation.command("rules", "show").splitlines()[-1] == BLOCK_LARGE.splitlines()[-1]

    # As compaction leaves it: nothing but the bad record under the key.
    installation.kafka.produce(installation.topics.rules, [(b"*", None)])
    installation.kafka.produce(installation.topics.rules, [(b"*", bad)])
    with WorkerProcess(tmp_path / "second", installation.env) as worker:
        worker.wait_until_ready()
        installation.send()
        events = installation.scored(CARDS)
    assert {event["rule_set"] for event in events} == {"*:1"}
    assert "version 2" in installation.command("rules", "put", file)


def test_an_analysts_way(installation: Installation, tmp_path: Path) -> None:
    """A rule with a mistake, mended, in shadow, switched on, and rolled back."""
    file = tmp_path / "rules.txt"
    file.write_text("block if :amout_usd: > 500\n")
    refused = installation.command("rules", "put", file, code=1)
    assert "did you mean :amount_usd:?" in refused
    assert "^^^^^^^^^^^" in refused
    assert "has no rules yet" in installation.command("rules", "show")

    file.write_text(f"shadow {BLOCK_LARGE.splitlines()[1]}\n")
    assert "no mistakes" in installation.command("rules", "check", file)
    said = installation.command("rules", "put", file, "--by", "ann", "--note", "on trial")
    assert said == "Rules of *: version 1, 1 rule, 1 of them in shadow\n"

    shown = tmp_path / "shown.txt"
    shown.write_text(installation.command("rules", "show"))
    shown.write_text(shown.read_text().replace("shadow block", "block"))
    assert "version 2" in installation.command("rules", "put", shown, "--by", "bob")
    stale = installation.command("rules", "put", shown, code=1)
    assert "version 2 by bob is there" in stale
    assert "made from version 1" in stale

    back = installation.command("rules", "rollback", "--by", "ann")
    assert back == "Rules of *: version 3, as version 1 was\n"
    assert "shadow block if :amount_usd: > 500" in installation.command("rules", "show")
    log = installation.command("rules", "log")
    versions = re.findall("^Rules of \\*, version (.),", log, re.MULTILINE)
    assert versions == ["3", "2", "1"]
    assert "on trial" in log
    assert "  +block if :amount_usd: > 500" in log


def test_settings_of_a_merchant_decide_its_charges(
    installation: Installation, tmp_path: Path
) -> None:
    installation.command("merchants", "set", "shop_1", "block_at=0", "holdout_share=0")
    installation.command("merchants", "set", "*", "preset=protect", "margin_share=0.3")
    refused = installation.command("merchants", "set", "shop_2", "block_att=3", code=1)
    assert "block_at," in refused
    assert "from 0 to 100" in installation.command("merchants", "set", "a", "block_at=x", code=1)
    with WorkerProcess(tmp_path / "worker", installation.env) as worker:
        worker.wait_until_ready()
        installation.send()
        events = installation.scored()
        installation.command("merchants", "set", "shop_1", "block_at=")
        installation.send_until(
            lambda scored: any(e["action"] != "block" for e in scored if e["merchant"] == "shop_1")
        )
    blocked = {event["merchant"] for event in events if event["action"] == "block"}
    assert "shop_1" in blocked
    assert {e["action"] for e in events if e["merchant"] == "shop_1"} == {"block"}
    assert "margin_share=0.3" in installation.command("merchants", "show")
    assert "0.3" in installation.command("merchants", "show", "shop_1")


def test_rules_are_tried_on_what_the_installation_holds(
    installation: Installation, tmp_path: Path
) -> None:
    """Beside the rules, lists and settings that are in force there; no worker has to run."""
    now, later = tmp_path / "now.txt", tmp_path / "later.txt"
    now.write_text("# listed:\nblock if :card: in @blocked_cards\n")
    later.write_text(f"{now.read_text()}{BLOCK_LARGE}")
    installation.command("rules", "put", now)
    installation.command("lists", "add", "blocked_cards", "card_0")
    refused = installation.command("rules", "backtest", later, code=1)
    assert "holds no charges" in refused
    installation.send(3 * CARDS)
    told = installation.json("rules", "backtest", later, "--json")
    found = {rule["id"]: (rule["matched"], rule["decided"]) for rule in told["rules"]}
    counts = {name: [each["charges"] for each in both] for name, both in found.items()}
    assert counts == {"listed": [3, 3], "large": [CARDS, CARDS - 3]}


def test_of_two_edits_at_once_one_is_made(installation: Installation) -> None:
    """The one that begins first is fenced when the other has begun."""
    settings = Settings(
        bootstrap_servers=installation.kafka.bootstrap_servers,
        topic_prefix=installation.topics.prefix,
    )
    topics, others = PolicyTopics(settings), PolicyTopics(settings)
    signed = Signature("ann", 1.0)

    def slow(book: RulesBook) -> Any:
        others.edit_rules(lambda theirs: put_rules(theirs.records, "*", BLOCK_LARGE, signed))
        return put_rules(book.records, "*", REVIEW_LARGE, signed)

    with pytest.raises(EditError, match="somebody else has made a change"):
        topics.edit_rules(slow)
    [record] = topics.rules().records.values()
    assert (record.version, record.text) == (1, BLOCK_LARGE)
    assert [change.version for change in topics.changes("rules")] == [1]
    others.edit_rules(lambda theirs: put_rules(theirs.records, "*", REVIEW_LARGE, signed))
    assert [change.version for change in topics.changes("rules")] == [1, 2]
    assert [change.version for change in others.changes("rules", "m1")] == []


def test_what_is_on_a_list_is_blocked_until_it_is_off(
    installation: Installation, tmp_path: Path
) -> None:
    """From when until when is event time; an import is there whole; a card number is refused."""
    file, cards = tmp_path / "rules.txt", tmp_path / "cards.csv"
    file.write_text("# listed:\nblock if :card: in @blocked_cards or :ip: in @ranges\n")
    assert "nothing is on it" in installation.command("rules", "put", file)
    installation.command("lists", "add", "blocked_cards", "card_1", "--note", "stolen")
    cards.write_text(f"value,from,until,note\ncard_2,{START},{START + 6},for a while\ncard_3,,,\n")
    assert "2 entries" in installation.command("lists", "import", "blocked_cards", cards)
    assert "card number" in installation.command(
        "lists", "add", "blocked_cards", "4242424242424242", code=1
    )
    with WorkerProcess(tmp_path / "worker", installation.env) as worker:
        worker.wait_until_ready()
        installation.send(2 * CARDS)
        events = installation.scored()
        installation.command("lists", "remove", "blocked_cards", "card_1")
        later = installation.send_until(
            lambda scored: (
                not any(e["decided_by"] == "rule:listed" for e in scored if e["card"] == "card_1")
            )
        )
    blocked = [event["charge"] for event in events if event["decided_by"] == "rule:listed"]
    assert set(blocked) == {"c1", f"c{CARDS + 1}", "c2", "c3", f"c{CARDS + 3}"}
    assert {e["card"] for e in later if e["decided_by"] == "rule:listed"} == {"card_3"}
    assert "card_2" in installation.command("lists", "show", "blocked_cards", "--at", START + 1)
    assert "card_2" not in installation.command("lists", "show", "blocked_cards", "--at", START + 9)
    installation.command("lists", "remove", "blocked_cards", "card_3", "--until", START + 9)
    assert "card_3" in installation.command("lists", "show", "blocked_cards", "--at", START + 1)
