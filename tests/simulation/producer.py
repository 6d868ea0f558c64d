"""The simulated producer: what our code uses of confluent_kafka's, against the simulated broker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

from tests.simulation.errors import error
from tests.simulation.fetching import Message
from tests.simulation.partition_log import State
from tests.simulation.transactions import ConcurrentTransactionsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import TopicPartition

    from tests.simulation.broker import Broker
    from tests.simulation.groups import Member
    from tests.simulation.scheduling import Process


_LINGER_S = 0.005
_AGAIN_S = 0.2
_START_MS = 1_750_000_000_000


@dataclass(slots=True, eq=False)
class _Queued:
    partition: tuple[str, int]
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    report: Callable[[KafkaError | None, Message], None] | None
    queued_at: float


class SimulatedProducer:
    """A producer; what it has queued reaches the broker in the background, bit by bit."""

    def __init__(self, process: Process, broker: Broker, config: Mapping[str, Any]) -> None:
        self._process = process
        self._broker = broker
        self._id: str | None = config.get("transactional.id")
        self._timeout_s = float(config.get("transaction.timeout.ms", 60_000)) / 1e3
        self._queue_limit = int(config.get("queue.buffering.max.messages", 100_000))
        self._producer_id = self._epoch = -1
        self._in_transaction = False
        self._has_written = False
        self._ending: State | None = None
        self._failure: KafkaError | None = None
        self._told_fatal = False
        self._queue: deque[_Queued] = deque()
        self._reports: deque[Callable[[], None]] = deque()
        self._is_sending = False

    # Sending ------------------------------------------------------------------------------------

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: list[tuple[str, bytes]],
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        self._process.step("produce")
        if (refusal := self._refusal()) is not None:
            raise KafkaException(refusal)
        self._enqueue(topic, -1, key, value, headers, on_delivery)

    def produce_batch(self, topic: str, messages: Sequence[dict[str, Any]], partition: int) -> int:
        self._process.step(f"before {topic}")
        taken = 0
        for message in messages:
            refusal = self._refusal()
            if refusal is None and len(self._queue) >= self._queue_limit:
                refusal = KafkaError(KafkaError._QUEUE_FULL)
            if refusal is not None:
                message["_error"] = refusal
                continue
            key, value = message["key"], message["value"]
            self._enqueue(topic, partition, key, value, [], message.get("callback"))
            taken += 1
        self._process.step(f"after {topic}")
        return taken

    def poll(self, timeout: float) -> int:
        self._process.step("poll producer")
        if not self._reports:
            self._process.wait(lambda: bool(self._reports) or self._has_fatal_to_tell, timeout)
        return self._serve()

    def flush(self, timeout: float) -> int:
        self._process.step("flush")
        if self._queue:
            self._process.wait(lambda: not self._queue or self._has_fatal_to_tell, timeout)
        self._serve()
        return len(self._queue)

    # Transactions -------------------------------------------------------------------------------

    def init_transactions(self, timeout: float) -> None:
        assert self._id is not None
        name = self._id
        self._producer_id, self._epoch = self._call(
            "init", timeout, lambda: self._broker.transactions.init(name, self._timeout_s)
        )

    def begin_transaction(self) -> None:
        self._process.step("begin")
        self._raise_failure()
        if self._in_transaction:
            raise error(KafkaError._STATE)
        self._in_transaction = True
        self._has_written = False

    def send_offsets_to_transaction(
        self, offsets: Sequence[TopicPartition], member: Member, timeout: float
    ) -> None:
        self._check_state()
        if not offsets:
            return
        self._has_written = True
        positions = {(p.topic, p.partition): p.offset for p in offsets}
        self._call(
            "offsets",
            timeout,
            lambda: self._broker.transactions.add_offsets(
                self._name, self._epoch, self._broker.group, member, positions
            ),
        )

    def commit_transaction(self, timeout: float) -> None:
        self._check_state()
        self._process.step("flush")
        if self._queue:
            self._process.wait(lambda: not self._queue or self._failure is not None, timeout)
        self._raise_failure()
        if self._queue:
            raise error(KafkaError._TIMED_OUT, retriable=True)
        self._end("commit", State.COMMITTED, timeout)

    def abort_transaction(self, timeout: float) -> None:
        if self._failure is not None and self._failure.fatal():
            raise KafkaException(self._failure)
        if self._ending is State.COMMITTED:
            raise error(KafkaError._CONFLICT, retriable=True)
        if not self._in_transaction:
            raise error(KafkaError._STATE)
        purged = KafkaError(KafkaError._PURGE_QUEUE)
        while self._queue:
            self._report(self._queue.popleft(), -1, purged)
        self._end("abort", State.ABORTED, timeout)
        self._failure = None

    # Inside -------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        assert self._id is not None
        return self._id

    @property
    def _has_fatal_to_tell(self) -> bool:
        return self._failure is not None and self._failure.fatal() and not self._told_fatal

    def _check_state(self) -> None:
        self._raise_failure()
        if not self._in_transaction:
            raise error(KafkaError._STATE)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise KafkaException(self._failure)

    def _refusal(self) -> KafkaError | None:
        """Return why nothing can be produced now, if so."""
        if self._failure is not None:
            return KafkaError(KafkaError._FATAL if self._failure.fatal() else KafkaError._STATE)
        if self._id is not None and (not self._in_transaction or self._ending is not None):
            return KafkaError(KafkaError._STATE)
        return None

    def _end(self, name: str, state: State, timeout_s: float) -> None:
        self._ending = state
        if self._has_written:
            self._call(
                name,
                timeout_s,
                lambda: self._broker.transactions.end(self._name, self._epoch, state),
            )
        self._ending = None
        self._in_transaction = False

    def _call(self, name: str, timeout_s: float, request: Callable[[], Any]) -> Any:
        """Send a request and wait for its answer: either may be lost on the way.

        Raises
        ------
        KafkaException
            Retriable when the time is up; else what was refused, which stays.
        """
        until = self._broker.scheduler.now + timeout_s
        self._process.step(f"before {name}")
        while True:
            if not self._broker.answers(self._process):
                self._wait_for_broker(until)
            try:
                answer = request()
                break
            except ConcurrentTransactionsError:
                self._process.wait(lambda: False, 0.01)
            except KafkaException as refusal:
                self._failure = refusal.args[0]
                raise
            if self._broker.scheduler.now >= until:
                raise error(KafkaError._TIMED_OUT, retriable=True)
        self._process.step(f"after {name}")
        if not self._broker.answers(self._process):  # the answer is lost
            self._wait_for_broker(until)
            raise error(KafkaError._TIMED_OUT, retriable=True)
        return answer

    def _wait_for_broker(self, until: float) -> None:
        left_s = max(0.0, until - self._broker.scheduler.now)
        self._process.wait(lambda: self._broker.answers(self._process), left_s)
        if not self._broker.answers(self._process):
            raise error(KafkaError._TIMED_OUT, retriable=True)

    def _enqueue(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        report: Callable[[KafkaError | None, Message], None] | None,
    ) -> None:
        if partition < 0:
            partition = sum(key or b"") % self._broker.partitions[topic]
        now = self._broker.scheduler.now
        self._queue.append(_Queued((topic, partition), key, value, headers, report, now))
        if not self._is_sending:
            self._send_later(_LINGER_S)

    def _send_later(self, delay_s: float) -> None:
        self._is_sending = True
        chance = self._broker.scheduler.random.random()
        self._process.later(delay_s * chance, self._send)

    def _send(self) -> None:
        """Send some of what is queued for one partition."""
        self._is_sending = False
        if not self._queue or self._failure is not None:
            return
        if not self._broker.answers(self._process):
            if self._id is not None and self._is_too_old():
                self._fail(KafkaError(KafkaError._TIMED_OUT, "timed out", txn_requires_abort=True))
            self._send_later(_AGAIN_S)
            return
        chance = self._broker.scheduler.random
        partition = chance.choice(list(dict.fromkeys(q.partition for q in self._queue)))
        log = self._broker.logs[partition]
        try:
            if self._id is not None:
                self._broker.transactions.add_log(self._id, self._epoch, log)
                self._has_written = True
        except ConcurrentTransactionsError:
            self._send_later(_LINGER_S)
            return
        except KafkaException as refusal:
            self._fail(refusal.args[0])
            return
        batch = [queued for queued in self._queue if queued.partition == partition]
        del batch[chance.randint(1, len(batch)) :]
        for queued in batch:
            self._queue.remove(queued)
            producer_id = None if self._id is None else self._producer_id
            offset = log.append(queued.key, queued.value, queued.headers, _START_MS, producer_id)
            self._report(queued, offset, None)
        self._send_later(_LINGER_S)

    def _is_too_old(self) -> bool:
        return self._broker.scheduler.now - self._queue[0].queued_at > self._timeout_s

    def _fail(self, failure: KafkaError) -> None:
        self._failure = failure
        while self._queue:
            self._report(self._queue.popleft(), -1, failure)

    def _report(self, queued: _Queued, offset: int, failure: KafkaError | None) -> None:
        report = queued.report
        if report is not None:
            message = Message(queued.partition, offset)
            self._reports.append(lambda: report(failure, message))

    def _serve(self) -> int:
        """Call back; a fatal error is raised here, once, by the real client too."""
        served = len(self._reports)
        while self._reports:
            self._reports.popleft()()
        if self._has_fatal_to_tell:
            self._told_fatal = True
            assert self._failure is not None
            raise KafkaException(self._failure)
        return served
