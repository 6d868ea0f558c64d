"""The verifier: reads everything that was committed, and says what is wrong with it.

The order of a card's scored events is checked for charges at merchants of one partition. Charges of
one card at merchants of different partitions are scored by different tasks, maybe on different
workers, and nothing orders what these commit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from xxhash import xxh3_128_digest

from agents.settings.sources import load_settings
from schemas.charge import Charge
from streams.events.origin import decode_label_tail
from streams.events.rows import STOPPED
from streams.features.entities import CARDS, FEATURE_NAMES
from streams.labels.pending import PENDING_LAYOUT
from streams.labels.waiting import decode_waiting
from streams.layouts.layout import number_in
from streams.layouts.reader import Reader
from streams.state import tables as state
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT, PART_LAYOUT, tickets_of
from streams.wire.examples import EXAMPLE_LAYOUT
from streams.wire.frames import FRAME_LAYOUT, decode_frames
from streams.wire.row_messages import decode_rows
from tests.chaos.answers import check_answer, check_answers, check_traffic
from tests.chaos.dispute_places import dispute_places
from tests.chaos.findings import Findings
from tests.chaos.label_rules import Answer
from tests.chaos.learned import Learned
from tests.chaos.models import check_models
from tests.chaos.oracle import Bounds, Expected, Frame, Input, as_expected, expect
from tests.chaos.shared import ScoringOrder, expect_shared
from tests.chaos.traffic import SETTINGS
from tests.streams.features.brute_shared import entities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.kafka.topics import Topics
    from streams.layouts.layout import Layout
    from tests.chaos.logs import Logs, Read
    from tests.chaos.traffic import Sent
    from tests.streams.features.brute_past import Values

    BoundsOf = Callable[[Sequence[Input], Sequence[Frame], Expected], Bounds]

_CARD_NAMES = tuple(feature.name for feature in CARDS.features)
_NO_CHARGE = b"charge: no such charge of this card has come"


@dataclass(frozen=True)
class Outcome:
    """What came of the inputs, once it was looked at.

    Attributes
    ----------
    inputs, frames
        The logs that tell in which order everything counted.
    expected
        By the oracle.
    scored, examples
        What was published, in its order.
    vectors
        Of every charge as its task keeps it, by the charge's number.
    """

    inputs: Sequence[Input]
    frames: Sequence[Frame]
    expected: Expected
    scored: Sequence[Mapping[str, Any]]
    examples: Sequence[Read]
    vectors: Mapping[int, np.ndarray[Any, Any]]


class Verifier:
    """Compares what was committed with what was published.

    Parameters
    ----------
    logs
        Reads the topics.
    topics
        Their names.
    sent
        Everything that was published.
    layouts
        Those of other versions that took part, by number.
    env
        Settings of the workers.
    """

    def __init__(
        self,
        logs: Logs,
        topics: Topics,
        sent: Sequence[Sent],
        layouts: Mapping[int, Layout] = MappingProxyType({}),
        env: Mapping[str, str] = SETTINGS,
    ) -> None:
        self.findings = Findings()
        self._settings = load_settings({}, env)
        self._is_advisory = self._settings.actions == "advisory"
        self._logs = logs
        self._topics = topics
        self._sent = {item.number: item for item in sent}
        self._frame_reader = Reader(FRAME_LAYOUT, layouts)
        self._part_reader = Reader(PART_LAYOUT, layouts)
        self._event_reader = Reader(ENTITY_EVENT_LAYOUT, layouts)
        self._kept_reader = Reader(PENDING_LAYOUT, layouts)
        self.example_reader = Reader(EXAMPLE_LAYOUT, layouts)
        self._inputs: dict[tuple[str, int, int], Sent] = {}
        self._read_inputs(sent)

    def exactly_once(self) -> Findings:
        """Check everything that holds when every input counts exactly once."""
        outcome = self.outcome()
        if outcome is not None:
            models = self._logs.committed(self._topics.models)
            check_models(self.findings, list(models), outcome, self.example_reader)
        return self.findings

    def outcome(self, bounds_of: BoundsOf | None = None) -> Outcome | None:
        """Check all of it but the models.

        Parameters
        ----------
        bounds_of
            Tells what is not to be as the oracle computes it.

        Returns
        -------
        Outcome or None
            Nothing if there is no log of what was processed, without which there is no oracle.
        """
        inputs = [
            Input(partition, offset, sent)
            for (_, partition, offset), sent in self._inputs.items()
            if sent.event is not None
        ]
        frames = self._frames
        counts = Counter(frame.number for frame in frames)
        in_vain = dispute_places(inputs).in_vain
        for item in inputs:
            count = counts[item.sent.number]
            is_right = count == 1 or (count == 0 and item.sent.number in in_vain)
            self.findings.check("input sent on once", is_right, (item, count))
        if self.findings:
            return None
        scored = self._scored()
        expected = self._expected(inputs, frames, scored)
        if bounds_of is not None:
            expected.bounds = bounds_of(inputs, frames, expected)
        self._check_frames(frames, expected)
        self._check_answers(scored, expected)
        self._check_order(scored, frames, inputs)
        self._check_rejected(expected)
        vectors = self._pending(expected)
        examples = list(self._logs.committed(self._topics.examples))
        learned = Learned(self.findings, expected, self._by_hash(expected), vectors)
        learned.check(examples, self.example_reader, has_sources=not self._is_advisory)
        return Outcome(inputs, frames, expected, scored, examples, vectors)

    def at_least_once(self) -> Findings:
        """Check that nothing is lost, and that what is there twice is the same charge."""
        counts: Counter[int] = Counter()
        for event in self._scored():
            number = event["number"]
            counts[number] += 1
            check_answer(self.findings, event, self._sent[number], self._settings)
        for number, sent in self._sent.items():
            if isinstance(sent.event, Charge):
                self.findings.check("charge scored at least once", counts[number] > 0, sent)
        rejected = {self._origin(read) for read in self._logs.committed(self._topics.rejected)}
        for place, sent in self._inputs.items():
            if sent.event is None:
                self.findings.check("bad input rejected", place in rejected, sent)
        self.findings.checked["duplicates"] = counts.total() - len(counts)
        return self.findings

    def merchant_tasks(self) -> dict[int, int]:
        """Return the task of the merchant stage that has each input, by the input's number."""
        return {frame.number: frame.partition for frame in self._frames}

    def _read_inputs(self, sent: Iterable[Sent]) -> None:
        """Find out where in the log each input is; nothing else may be there."""
        by_content = {(item.topic, item.key, item.value): item for item in sent}
        for topic in ("charges", "disputes", "outcomes"):
            name = getattr(self._topics, topic)
            for read in self._logs.committed(name):
                item = by_content.pop((topic, read.key, read.value))
                self._inputs[name, read.partition, read.offset] = item
        self._check_read(len(by_content))

    def _check_read(self, missing: int) -> None:
        """Check how many inputs were published and are not in the log."""
        assert not missing, f"{missing} inputs were never in the log"

    def _origin(self, read: Read) -> tuple[str, int, int]:
        headers = read.headers
        return headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])

    @cached_property
    def _frames(self) -> list[Frame]:
        frames: list[Frame] = []
        orders: dict[int, ScoringOrder] = defaultdict(ScoringOrder)
        for read in self._logs.committed(self._topics.by_merchant):
            value, order = read.value or b"", orders[read.partition]
            layout = number_in(value)
            if layout is not None and self._part_reader.knows(layout):
                parts, _ = decode_rows([value], PART_LAYOUT, self._part_reader)
                for ticket, entity in zip(tickets_of(parts), parts["entity"].tolist(), strict=True):
                    order.part(ticket, entity)
                continue
            decoded, _ = decode_frames([value], self._frame_reader)
            events = decoded.rows["event"]
            for i, (row, ticket) in enumerate(zip(decoded.rows, tickets_of(events), strict=True)):
                number = self._number(int(row["event"]["kind"]), decoded.tails[i])
                order.frame(number, int(row["event"]["card"]), ticket, int(row["parts"]))
                place, duplicate = (read.offset, i), bool(row["event"]["duplicate"])
                features = row["card_features"].copy()
                frames.append(Frame(read.partition, place, number, duplicate, features, layout, 0))
        turns = {n: turn for order in orders.values() for turn, n in enumerate(order.numbers)}
        left = [number for order in orders.values() for number in order.left]
        self._check_parts(left)
        return [frame._replace(turn=turns.get(frame.number, -1)) for frame in frames]

    def _check_parts(self, left: list[int]) -> None:
        """Check that no input waits for what others have to say of it."""
        self.findings.check("all parts have come", not left, left[:5])

    def _number(self, kind: int, tail: bytes) -> int:
        """Return the number of the input that a frame is of."""
        if kind == 0:
            number: int = orjson.loads(tail + b"}")["number"]
            return number
        origin, _, _ = decode_label_tail(tail)
        return self._inputs[origin.topic, origin.partition, origin.offset].number

    def _shared(
        self,
        inputs: Sequence[Input],
        frames: Iterable[Frame],
        scored: Iterable[Mapping[str, Any]],
    ) -> dict[int, Values]:
        """Return what charges must have of what they share; compare what that was told."""
        charges = {}
        for item in inputs:
            event = item.sent.event
            if isinstance(event, Charge):
                offset = item.offset.to_bytes(8, "little")
                charges[self._hash(event) + offset] = item.sent.number, event
        logs: dict[int, list[bytes]] = defaultdict(list)
        for read in self._logs.committed(self._topics.by_entity):
            logs[read.partition].append(read.value or b"")
        rows = [decode_rows(v, ENTITY_EVENT_LAYOUT, self._event_reader)[0] for v in logs.values()]
        features, told = expect_shared(rows, charges)
        # A version from before there were entities tells them nothing.
        knowing = {
            frame.number
            for frame in frames
            if "parts" in self._frame_reader.layout(frame.layout).fields
        }
        for answer in scored:
            charge = self._sent[answer["number"]].event
            assert isinstance(charge, Charge)
            entities = len(list(entities_of(charge)))
            if answer.get("duplicate"):
                continue
            is_told = answer["action"] == "block" and not self._is_advisory
            wanted = entities if is_told and answer["number"] in knowing else 0
            found = told[STOPPED, self._hash(charge)]
            self.findings.check("entities know what was blocked", found == wanted, answer)
        return features

    def _hash(self, charge: Charge) -> bytes:
        digest = xxh3_128_digest(f"{charge.card}\0{charge.id}".encode())
        return np.frombuffer(digest, ">u8").astype("<u8").tobytes()

    def _check_frames(self, frames: Iterable[Frame], expected: Expected) -> None:
        for frame in frames:
            is_duplicate = frame.number in expected.duplicates
            self.findings.check("duplicate known", frame.is_duplicate == is_duplicate, frame.number)
            if frame.number in expected.features:
                self._check_vector("card's features", frame.number, frame.card_features, expected)

    def _check_vector(
        self, what: str, number: int, vector: np.ndarray[Any, Any], expected: Expected
    ) -> None:
        names = FEATURE_NAMES if len(vector) == len(FEATURE_NAMES) else _CARD_NAMES
        values = expected.features[number]
        equal = as_expected(vector, number, expected, names)
        found = [
            (names[i], float(vector[i]), float(values[names[i]]))
            for i in np.flatnonzero(~equal).tolist()
        ]
        self.findings.check(f"{what} equal the oracle's", not found, (number, found[:5]))

    def _scored(self) -> list[dict[str, Any]]:
        events = []
        for read in self._logs.committed(self._topics.scored):
            event = orjson.loads(read.value or b"")
            self.findings.check("scored under its card", read.key == event["card"].encode(), event)
            events.append(event)
        return events

    def _expected(
        self,
        inputs: Sequence[Input],
        frames: Sequence[Frame],
        scored: Sequence[Mapping[str, Any]],
    ) -> Expected:
        """Compute what must have come of the inputs, given the actions that were taken."""
        answers = {event["number"]: Answer(event["score"], event["action"]) for event in scored}
        shared = self._shared(inputs, frames, scored)
        return expect(inputs, frames, answers, shared=shared, is_advisory=self._is_advisory)

    def _check_answers(self, scored: Sequence[Mapping[str, Any]], expected: Expected) -> None:
        check_answers(self.findings, scored, self._sent, expected.duplicates, self._settings)
        check_traffic(self.findings, scored, self._settings)

    def _check_order(
        self,
        scored: Sequence[Mapping[str, Any]],
        frames: Iterable[Frame],
        inputs: Iterable[Input],
    ) -> None:
        """Check that cards keep the order of their partition, at each merchant partition."""
        place_of = {item.sent.number: item.offset for item in inputs}
        partition_of = {frame.number: frame.partition for frame in frames}
        numbers = {
            "sent on": [frame.number for frame in frames],
            "scored": [event["number"] for event in scored],
        }
        for what, those in numbers.items():
            latest: dict[tuple[str, int], int] = {}
            for number in those:
                event = self._sent[number].event
                if isinstance(event, Charge):
                    name = event.card, partition_of[number]
                    in_order = latest.get(name, -1) < place_of[number]
                    self.findings.check(f"card's charge {what} in its order", in_order, number)
                    latest[name] = place_of[number]

    def _check_rejected(self, expected: Expected) -> None:
        wanted = {
            place: sent
            for place, sent in self._inputs.items()
            if sent.event is None or sent.number in expected.unknown
        }
        counts: Counter[tuple[str, int, int]] = Counter()
        for read in self._logs.committed(self._topics.rejected):
            place = self._origin(read)
            counts[place] += 1
            sent = wanted.get(place)
            self.findings.check("rejected input is a bad one", sent is not None, (place, read))
            if sent is not None:
                is_same = (read.key, read.value) == (sent.key, sent.masked)
                self.findings.check("rejected as it came, masked", is_same, (sent, read))
                self._check_reason(sent, read)
        for place, sent in wanted.items():
            count = counts[place]
            if sent.event is not None and place in self._waiting:
                count += 1
            self.findings.check("bad input rejected once", count == 1, (place, sent, count))

    def _check_reason(self, sent: Sent, read: Read) -> None:
        error = read.headers["error"]
        is_right = bool(error) and (sent.event is None or error.startswith(_NO_CHARGE))
        self.findings.check("rejected for its reason", is_right, (sent, read))

    @cached_property
    def _waiting(self) -> set[tuple[str, int, int]]:
        """The disputes that wait for their charge, as those do that were read after all charges."""
        values: dict[bytes, bytes | None] = {}
        for read in self._logs.committed(self._topics.changelog):
            if read.key and read.key.startswith(state.WAITING):
                values[read.key] = read.value
        tails = [decode_waiting(b"", value).tail for value in values.values() if value]
        origins = [decode_label_tail(tail)[0] for tail in tails]
        return {(origin.topic, origin.partition, origin.offset) for origin in origins}

    def _pending(self, expected: Expected) -> dict[int, np.ndarray[Any, Any]]:
        """Return the vector of every charge as its task keeps it, once compared."""
        numbers = self._by_hash(expected)
        values: dict[bytes, bytes | None] = {}
        for read in self._logs.committed(self._topics.changelog):
            if read.key and read.key.startswith(state.PENDING):
                values[read.key[-16:]] = read.value
        vectors = {}
        for key, value in values.items():
            assert value is not None
            number = numbers.pop(key, None)
            self.findings.check("kept charge is one", number is not None, key)
            if number is not None:
                vectors[number] = self._kept_reader.rows([value])["vector"][0]
                self._check_vector("kept features", number, vectors[number], expected)
        self.findings.check("every charge is kept", not numbers, list(numbers.values())[:5])
        return vectors

    def _by_hash(self, expected: Expected) -> dict[bytes, int]:
        """Return the numbers of the charges that are no duplicates by their hash."""
        charges = [self._sent[number] for number in expected.features.keys() - expected.duplicates]
        return {
            xxh3_128_digest(f"{sent.event.card}\0{sent.event.id}".encode()): sent.number
            for sent in charges
            if sent.event is not None
        }
