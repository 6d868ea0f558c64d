"""`python -m tests.releases.make NAME`: writes what this version leaves behind, as a release.

Once a release is out, its files are never written again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson

from agents.drift.daily_blocks import BLOCK_LAYOUT
from agents.drift.quantities import WATCH
from agents.learning.learner import LearnerStage
from agents.models.kinds import KINDS, scorer
from agents.settings.schema import Settings
from agents.stages.tasks import TaskStages, bare_policy, new_task
from schemas.snapshot import encode_snapshot
from streams.events.rows import EVENT
from streams.features.card_record import CARD, LATEST_CHARGES
from streams.features.entities import CARDS, FEATURES
from streams.features.merchant_record import MERCHANT
from streams.features.windows import WINDOWS
from streams.labels.pending import PENDING
from streams.simulator import Simulation
from streams.state.store import MemoryStore
from streams.wire.examples import EXAMPLE, decode_examples, encode_examples
from streams.wire.frames import FRAME, encode_frames
from tests.agents.stages.stages import DAY, HOUR, START, Message, Recording, charge, decode, dispute
from tests.releases.contents import Contents, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from agents.stages.merchant_output import MerchantOutput
    from streams.events.batch import Batch

SETTINGS: dict[str, Any] = {
    "label_horizon_days": 4.0, "negative_rate": 0.5, "cache_records": 1000,
}  # fmt: skip
DAYS = 12.0
AT_A_TIME = 50
IN_FLIGHT, NEXT = 60, 300
"""Events at the end that the merchant stage, and either stage, has not seen yet."""


def main(name: str) -> None:
    """Write the files of a release."""
    messages = stream()
    task = new_task(0, MemoryStore(), Settings(**SETTINGS))
    stages = task.stages
    assert isinstance(stages, TaskStages)
    learned, changelog = list[bytes](), list[Any]()
    seen = messages[: -IN_FLIGHT - NEXT]
    for batch in batches(seen):
        learned += encode_examples(answer(stages, count(stages, batch)).examples)
        changelog += commit(task)
    flying = decode(messages[-IN_FLIGHT - NEXT : -NEXT])
    frames = stages.card.process(flying).frames
    changelog += commit(task)
    examples = decode_examples(learned)
    learners = {kind: LearnerStage(None, 10**9, kind) for kind in KINDS}
    for learner in learners.values():
        learner.learn(examples, range(len(examples)))
    models = {kind: learner.snapshot() for kind, learner in learners.items()}
    answers = [*answers_to(stages, frames, models)]
    for batch in batches(messages[-NEXT:]):
        answers += answers_to(stages, count(stages, batch), models)
    Contents(
        layout=[layout()],
        settings=[SETTINGS],
        changelog=changelog,
        frames=text_of(encode_frames(frames)),
        examples=text_of(learned),
        models=text_of(map(encode_snapshot, models.values())),
        inputs=[[m.topic, *text_of([m.key, m.value])] for m in messages[-NEXT:]],
        answers=answers,
    ).write(name)


def stream() -> list[Message]:
    """Return events that leave something in every table, by the time at which they come."""
    simulation = Simulation(
        seed=11, cards=25, merchants=8, start=START, days=DAYS, charges_per_day=70,
        fraud_rate=0.05, dispute_delay_scale=0.1, duplicate_share=0.03, late_share=0.05,
    )  # fmt: skip
    events = [
        (event.publish_time, Message(event.topic, event.key, orjson.dumps(event.value)))
        for event in simulation.events()
        if event.publish_time < START + DAYS * DAY
    ]
    busy = START + DAYS / 2 * DAY - LATEST_CHARGES * HOUR / 2
    for number in range(3 * LATEST_CHARGES):  # a card whose ids do not fit into its record
        created = busy + number * HOUR / 2
        events.append((created, charge(f"busy_{number}", created, card="busy")))
    events += [  # of which one waits for its charge, and one for its time
        (busy + HOUR, dispute(name, START + (DAYS + 1) * DAY, card="busy"))
        for name in ("unknown", "busy_0")
    ]
    return [message for _, message in sorted(events, key=lambda event: event[0])]


def batches(messages: Sequence[Message]) -> Iterator[Batch]:
    for start in range(0, len(messages), AT_A_TIME):
        yield decode(messages[start : start + AT_A_TIME])


def count(stages: TaskStages, batch: Batch) -> Any:
    return stages.card.process(batch).frames


def answer(stages: TaskStages, frames: Any, given: Any = None) -> MerchantOutput:
    by = given or scorer(None, FEATURES)
    return stages.merchant.process(frames, by, bare_policy(Settings()), lambda: 0.0)


def answers_to(stages: TaskStages, frames: Any, models: Any) -> Iterator[Any]:
    given = Recording(scorer(models["additive"], FEATURES))
    output = answer(stages, frames, given)
    scores = {k: scorer(m, FEATURES).predict(given.vectors).tolist() for k, m in models.items()}
    for number, event in enumerate(output.scored):
        told = orjson.loads(event)
        del told["scored_at"]
        vector = given.vectors[number]
        yield [told, vector.tolist(), {kind: those[number] for kind, those in scores.items()}]


def commit(task: Any) -> list[list[str | None]]:
    task.stages.flush()
    changes = task.state.changes()
    task.state.commit(0)
    return [text_of(change) for change in changes.items()]


def layout() -> dict[str, Any]:
    """Return by name what is in every record."""
    records = {
        "card": CARD, "merchant": MERCHANT, "pending": PENDING, "block": BLOCK_LAYOUT.dtype,
        "event": EVENT, "frame": FRAME, "example": EXAMPLE,
    }  # fmt: skip
    return {
        "records": {name: fields_of(dtype) for name, dtype in records.items()},
        "windows": [window._asdict() for window in WINDOWS],
        "features": [feature.name for feature in FEATURES],
        "card_features": [feature.name for feature in CARDS.features],
        "signals": [quantity.name for quantity in WATCH.quantities],
    }


def fields_of(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the fields of a record: their types, shapes and places; and its size."""
    assert dtype.fields is not None
    fields = {
        name: [field[0].base.str if field[0].base.names is None else "record",
               list(field[0].shape), field[1]]
        for name, field in dtype.fields.items()
    }  # fmt: skip
    return {"bytes": dtype.itemsize, "fields": fields}


if __name__ == "__main__":
    main(sys.argv[1])
