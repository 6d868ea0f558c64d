"""The disaster drill: `python -m tests.drill`: a cluster is lost, another goes on where it ended.

Inputs are mirrored to the other cluster, where their offsets are others. The state comes from a
backup; what came since is processed there. Every charge is then scored by what one task that never
moved knows of its card.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from agents.commands import chargewatch
from deploy.local_kafka import LocalKafka
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.kafka import Kafka
from tests.integration.test_grow import assert_vectors, charges_in, messages, publish
from tests.integration.worker import WorkerProcess

PREFIX = "drill."
TASKS = 3
OTHERS_BEFORE = 7
"""Messages that each partition of charges had there before the mirrored ones."""

_STARTED = time.monotonic()


def main() -> None:
    """Lose a cluster."""
    stream, topics = messages(), Topics(PREFIX)
    first, since, then = stream[:250], stream[250:320], stream[320:]
    with TemporaryDirectory(prefix="drill-") as name, LocalKafka() as there:
        directory, other = Path(name), Kafka(client_config(there.bootstrap_servers, {}))
        with LocalKafka() as here:
            lost = Kafka(client_config(here.bootstrap_servers, {}))
            ensure_topics(Admin(lost.config), topics, TASKS)
            publish(lost, topics, first, TASKS)
            say(f"{len(first)} events published")
            work(lost, topics, directory / "here", charges_in(first))
            run(lost, directory, "rules", "put", str(rules_of(directory)), "--by", "ann")
            say(run(lost, directory, "backup", str(directory / "backup"), "--state"))
            publish(lost, topics, since, TASKS)
            mirror(lost, other, topics)
            say(f"{len(since)} more published and mirrored; the cluster is lost")
        say(run(other, directory, "restore", str(directory / "backup")))
        publish(Kafka(other.config), topics, then, TASKS)
        scored = charges_in(since) + charges_in(then)
        work(other, topics, directory / "there", scored)
        found = len(other.read_all(topics.scored))
        assert found == scored, f"{found} scored there, and not {scored}: each once"
        assert not other.read_all(topics.rejected)
        assert "block if" in run(other, directory, "rules", "show")
        assert_vectors(other, topics, stream)
        say(f"{scored} charges scored there, each once, as if nothing had been")


def work(kafka: Kafka, topics: Topics, directory: Path, scored: int) -> None:
    """Have a worker score until nothing is left."""
    env = environment(kafka, directory)
    with WorkerProcess(directory, env) as worker:
        worker.wait_until_ready()
        kafka.consume(topics.scored, scored)
        for topic in (topics.by_merchant, topics.by_entity):
            kafka.wait_until_taken(f"{PREFIX}chargewatch", topic)
        assert worker.stop() == 0
    say(f"{scored} scored")


def mirror(source: Kafka, target: Kafka, topics: Topics) -> None:
    """Copy what is on the inputs to the same partitions of another cluster."""
    ensure_topics(Admin(target.config), topics, TASKS)
    others = [(number, b"other", b"{}") for number in range(TASKS)]
    target.publish(topics.charges, others * OTHERS_BEFORE)
    for topic in (topics.charges, topics.disputes):
        copied = [(m.partition() or 0, m.key(), m.value()) for m in source.read_all(topic)]
        target.publish(topic, copied)


def rules_of(directory: Path) -> Path:
    """Write a file of rules."""
    file = directory / "rules.txt"
    file.write_text("block if :amount_usd: > 900000\n", encoding="utf-8")
    return file


def environment(kafka: Kafka, directory: Path) -> dict[str, str]:
    """Return the settings of an installation."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": PREFIX,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_STATE_DIR": str(directory / "operator"),
    }


def run(kafka: Kafka, directory: Path, *arguments: str) -> str:
    """Run a command, and return what it says."""
    result = CliRunner().invoke(chargewatch, arguments, env=environment(kafka, directory))
    assert result.exit_code == 0, result.output
    return result.output


def say(text: str) -> None:
    """Print lines with the seconds since the start."""
    for line in text.splitlines():
        sys.stdout.write(f"{time.monotonic() - _STARTED:6.1f} s  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
