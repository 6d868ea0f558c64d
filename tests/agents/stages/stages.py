"""The two stages above a store of their own, run as a worker runs them, and events to feed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import orjson

from agents.models.prior import PriorScorer
from agents.settings.schema import Settings
from agents.shared_entities.in_memory import SharedInMemory
from agents.stages.tasks import TaskStages, bare_policy, features_of, new_task
from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.events.batch import Batch
from streams.events.decoding import Decoded, decode_charges, decode_disputes, decode_outcomes
from streams.events.origin import Origin
from streams.events.rejected import Input, Rejected
from streams.events.rows import CHARGE, EVENT, Rows
from streams.features.entities import FEATURES
from streams.state.store import KeyRange, MemoryStore
from streams.wire.examples import BY_DISPUTE, BY_SILENCE, BY_VERDICT, CONTROL, EXAMPLE, IMPUTED
from streams.wire.matured import MATURED_CHARGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from agents.drift.monitor import Shift
    from agents.models.protocols import Scorer
    from agents.policy.fraud_rates import FraudValue
    from agents.policy.policy import Policy
    from agents.stages.merchant_output import MerchantOutput
    from streams.events.headers import Headers
    from streams.simulator import Simulation

START = 1_767_225_600.0
HOUR, DAY = 3600.0, 86_400.0
SCORED_AT = 1_800_000_000.25


class Message(NamedTuple):
    """One message of `charges`, `disputes` or `outcomes`."""

    topic: str
    key: bytes
    value: bytes


def charge(name: str, created: float, **fields: object) -> Message:
    """Make a charge; what is not given is the same for all."""
    card = str(fields.get("card", "card_1"))
    value = {"id": name, "created": created, "amount": 2000, "currency": "usd", "card": card,
             "merchant": "shop_1"} | fields  # fmt: skip
    return Message("charges", card.encode(), orjson.dumps(value))


def dispute(name: str, created: float, **fields: object) -> Message:
    """Make a fraud dispute of the charge `name`."""
    card = str(fields.get("card", "card_1"))
    value = {"id": f"dispute_{name}", "charge": name, "created": created, "card": card,
             "merchant": "shop_1", "reason": "fraudulent"} | fields  # fmt: skip
    return Message("disputes", card.encode(), orjson.dumps(value))


def outcome(name: str, created: float, said: str, **fields: object) -> Message:
    """Make an outcome of the charge `name`."""
    card = str(fields.get("card", "card_1"))
    value = {"id": f"{said}_{name}", "charge": name, "created": created, "card": card,
             "merchant": "shop_1", "outcome": said} | fields  # fmt: skip
    return Message("outcomes", card.encode(), orjson.dumps(value))


def message(event: Charge | Dispute | Outcome) -> Message:
    """Encode an event."""
    topic = {Charge: "charges", Dispute: "disputes", Outcome: "outcomes"}[type(event)]
    return Message(topic, event.card.encode(), msgspec.json.encode(event))


def decode(messages: Sequence[Message]) -> Batch:
    """Decode messages in their order; the offset of each is its place."""
    rows = np.empty(len(messages), EVENT)
    columns: list[list[bytes]] = [[b""] * len(messages) for _ in range(3)]
    for topic, decoder in (
        ("charges", decode_charges),
        ("disputes", decode_disputes),
        ("outcomes", decode_outcomes),
    ):
        places = [i for i, sent in enumerate(messages) if sent.topic == topic]
        decoded: Decoded = decoder(
            [Input(messages[i].key, messages[i].value, Origin(topic, 0, i)) for i in places], 4e9
        )
        assert not decoded.rejected
        rows[places] = decoded.batch.rows
        for column, part in zip(
            columns,
            (decoded.batch.cards, decoded.batch.merchants, decoded.batch.tails),
            strict=True,
        ):
            for place, item in zip(places, part, strict=True):
                column[place] = item
    return Batch(rows, *columns)


def part(batch: Batch, start: int, stop: int) -> Batch:
    """Return the events from `start` up to `stop`."""
    lists = (batch.cards, batch.merchants, batch.tails)
    return Batch(batch.rows[start:stop].copy(), *(items[start:stop] for items in lists))


class Recording:
    """A scorer that keeps what it was given to score."""

    def __init__(self, scorer: Scorer, width: int = len(FEATURES)) -> None:
        self._scorer = scorer
        self.version = scorer.version
        self.vectors = np.empty((0, width), np.float32)

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.predict`."""
        self.vectors = np.concatenate([self.vectors, vectors])
        return self._scorer.predict(vectors)

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        """See `Scorer.risks`."""
        return self._scorer.risks(scores)

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.contributions`."""
        return self._scorer.contributions(vectors)


class Outputs(NamedTuple):
    """Everything that came out so far, in order."""

    keys: list[bytes]
    scored: list[bytes]
    headers: list[Headers]
    vectors: list[bytes]
    examples: list[bytes]
    matured: list[bytes]
    rejected: list[Rejected]

    def events(self) -> list[dict[str, Any]]:
        """Return the scored events."""
        return [orjson.loads(event) for event in self.scored]

    def learned(self) -> Rows:
        """Return EXAMPLE[N] of the labelled charges."""
        return self._by(BY_SILENCE, BY_DISPUTE, BY_VERDICT)

    def controls(self) -> Rows:
        """Return EXAMPLE[N] of the charges that frauds are compared with."""
        return self._by(CONTROL)

    def imputed(self) -> Rows:
        """Return EXAMPLE[N] of the blocked charges that are taken for frauds."""
        return self._by(IMPUTED)

    def matured_charges(self) -> Rows:
        """Return MATURED_CHARGE[N] of the charges whose horizon has passed."""
        return np.frombuffer(b"".join(self.matured), MATURED_CHARGE)

    def _by(self, *sources: int) -> Rows:
        rows = np.frombuffer(b"".join(self.examples), EXAMPLE)
        of_these: Rows = rows[np.isin(rows["source"], sources)]
        return of_these


class Run:
    """One task from its start, through commits, failures and restarts.

    Parameters
    ----------
    settings
        Those that matter to the stages.

    Attributes
    ----------
    policy
        What decides beside the model; nothing but the costs of the settings where it is `None`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**{"cache_records": 1000} | settings)
        self.store = MemoryStore()
        self.scorer: Scorer = PriorScorer(features_of(self.settings))
        self.policy: Policy | None = None
        self.outputs = Outputs([], [], [], [], [], [], [])
        self.disputed_blocks = 0
        self.told_values: list[FraudValue] = []
        self.shifts: list[Shift] = []
        self._committed = tuple(0 for _ in self.outputs)
        self._changelog: list[Mapping[bytes, bytes | None]] = []
        self._open()

    def feed(self, *messages: Message) -> list[dict[str, Any]]:
        """Process messages as one batch and return their scored events."""
        before = len(self.outputs.scored)
        self.process(decode(messages))
        return self.outputs.events()[before:]

    def process(self, batch: Batch, *, is_paused: bool = False) -> None:
        """Process a decoded batch."""
        frames = self.count(batch, is_paused=is_paused)
        if len(frames):
            self.answer(frames)

    def pause(self) -> None:
        """Let no charge come for a while."""
        self.process(decode([]), is_paused=True)

    def count(self, batch: Batch, *, is_paused: bool = False) -> Batch:
        """Run the card stage alone."""
        output = self._stages.card.process(batch, is_paused=is_paused)
        self.outputs.rejected.extend(output.rejected)
        return output.frames

    def answer(self, frames: Batch) -> None:
        """Run the merchant stage alone."""
        scorer = Recording(self.scorer, len(features_of(self.settings)))
        policy = self.policy or bare_policy(self.settings)
        events = frames.rows["event"]
        of_charges = np.where(events["kind"] == CHARGE, events["created"], 0.0)
        times = np.maximum.accumulate(np.maximum(of_charges, self._stages.merchant.stream_time))
        for part, shared in self._shared.by_hour(frames, times):
            output = self._stages.merchant.process(
                part, scorer, policy, lambda: SCORED_AT, shared=shared
            )
            self._stages.entities.process(output.entity_events)
            self._take(output)
        self.outputs.vectors.extend(row.tobytes() for row in scorer.vectors)

    def _take(self, output: MerchantOutput) -> None:
        self.outputs.keys.extend(output.keys)
        self.outputs.scored.extend(output.scored)
        self.outputs.headers.extend(output.headers or [()] * len(output.scored))
        self.outputs.examples.extend(row.tobytes() for row in output.examples)
        self.outputs.matured.extend(row.tobytes() for row in output.matured)
        self.outputs.rejected.extend(output.rejected)
        self.disputed_blocks += output.disputed_blocks
        self.shifts += output.shifts
        self.told_values += [output.told_value] if output.told_value else []

    def commit(self) -> None:
        """Commit, as the engine does."""
        self._stages.flush()
        self._changelog.append(dict(self._task.state.changes()))
        self._task.state.commit(len(self._changelog))
        self._committed = tuple(len(column) for column in self.outputs)

    def roll_back(self) -> None:
        """Undo what was done since the last commit, as the engine does after an abort."""
        self._task.state.discard()
        self._stages.reload()
        self._forget_outputs()

    def restart(self) -> None:
        """Open the task again: what was not committed is gone."""
        self._open()
        self._forget_outputs()

    def restore(self) -> None:
        """Open the task again above a store that is made from the changelog alone."""
        self.store = MemoryStore()
        for number, changes in enumerate(self._changelog, 1):
            self.store.write(changes, [], number)
        self.restart()

    def state(self, *tables: bytes) -> dict[bytes, bytes]:
        """Commit, and return all of the store, or some tables of it."""
        self.commit()
        everything = dict(self.store.scan(KeyRange(b"", b"\xff")))
        return {k: v for k, v in everything.items() if not tables or k[:1] in tables}

    @property
    def last_changes(self) -> Mapping[bytes, bytes | None]:
        """What the last commit has changed."""
        return self._changelog[-1]

    @property
    def fraud_value(self) -> FraudValue:
        """What there is to tell of charges and frauds."""
        return self._stages.merchant.fraud_value

    @property
    def stream_time(self) -> float:
        """Newest event time, Unix seconds."""
        return self._stages.merchant.stream_time

    def _open(self) -> None:
        self._task = new_task(0, self.store, self.settings)
        assert isinstance(self._task.stages, TaskStages)
        self._stages = self._task.stages
        self._shared = SharedInMemory(self._stages.entities, self.settings.entities)

    def _forget_outputs(self) -> None:
        columns: tuple[list[Any], ...] = self.outputs
        for column, length in zip(columns, self._committed, strict=True):
            del column[length:]


def run_all(messages: Iterable[Message], **settings: Any) -> Run:
    """Run a stream as one batch."""
    run = Run(**settings)
    run.feed(*messages)
    return run


def simulated(simulation: Simulation) -> list[Message]:
    """Return the messages of a simulation, in the order they are published."""
    return [Message(e.topic, e.key, orjson.dumps(e.value)) for e in simulation.events()]
