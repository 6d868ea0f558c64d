"""The local Kafka starts, comes back with its data, and never outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy import broker, local_kafka
from deploy.local_kafka import LocalKafka, LocalKafkaError

PARENT = """
import signal, sys, threading
from deploy.local_kafka import LocalKafka
signal.signal(signal.SIGINT, signal.SIG_IGN)
kafka = LocalKafka()
starter = threading.Thread(target=kafka.start)  # the broker belongs to the process, not the thread
starter.start()
starter.join()
print(kafka.bootstrap_servers, flush=True)
sys.stdin.read()
"""


def _listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _within(seconds: float, address: str, *, listens: bool) -> bool:
    deadline = time.monotonic() + seconds
    while _listens(address) != listens:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_data_and_address_survive_a_kill() -> None:
    with LocalKafka() as kafka:
        address = kafka.bootstrap_servers
        admin = AdminClient({"bootstrap.servers": address})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result()
        producer = Producer({"bootstrap.servers": address})
        producer.produce("kept", b"before")
        assert producer.flush(30) == 0
        kafka.kill()
        assert not _listens(address)
        kafka.restart()
        assert kafka.bootstrap_servers == address
        producer.produce("kept", b"after")
        assert producer.flush(30) == 0
        kafka.restart()
        consumer = Consumer({"bootstrap.servers": address, "group.id": "reader"})
        consumer.assign([TopicPartition("kept", 0, 0)])
        assert [message.value() for message in consumer.consume(2, 30)] == [b"before", b"after"]
        consumer.close()
    assert not _listens(address)


def test_ends_with_its_killed_parent_but_not_by_ctrl_c(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().strip()
        assert _listens(address)
        os.killpg(parent.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        assert not _within(1, address, listens=False)
        parent.kill()
    assert _within(10, address, listens=False)
    deadline = time.monotonic() + 10
    while list(tmp_path.glob("chargewatch-kafka-*")):
        assert time.monotonic() < deadline, "the data of the broker was left behind"
        time.sleep(0.02)


def test_a_taken_port_is_left_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((broker.HOST, 0))
        taken.listen()
        # The first port found free is taken before the broker has it.
        stolen = [taken.getsockname()[1]]
        bind = broker._bind
        monkeypatch.setattr(
            broker, "_bind", lambda holder: stolen.pop() if stolen else bind(holder)
        )
        with LocalKafka() as kafka:
            assert not stolen
            assert kafka.bootstrap_servers != f"{broker.HOST}:{taken.getsockname()[1]}"
            assert _listens(kafka.bootstrap_servers)


def test_broker_and_controller_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one, socket.socket() as other:
        broker._bind(one)
        broker._bind(other)
        free = [one.getsockname()[1], other.getsockname()[1]]
    monkeypatch.setattr(broker, "PORTS", free)
    for _ in range(20):
        assert set(broker.free_ports(2)) == set(free)


def test_failure_shows_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(local_kafka.SETTINGS, "num.network.threads", "none")
    with pytest.raises(LocalKafkaError, match=r"num\.network\.threads"):
        LocalKafka().start()
