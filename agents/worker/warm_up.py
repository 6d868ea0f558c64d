"""A rehearsal before a worker takes tasks: everything compiled is loaded by then, or compiled.

Else the first charge would wait for it: for a second or two, and for the better part of a minute
in an installation whose kernels have never been compiled.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import orjson

from agents.learning.learner import LearnerStage
from agents.models.kinds import DEFAULT, KINDS
from agents.models.prior import PriorScorer
from agents.policy.terms import ChargeTerms, Terms
from agents.stages.holdout import let_through
from agents.stages.in_memory import TaskInMemory
from agents.stages.tasks import features_of
from schemas.scored import BLOCK
from streams.durations import DAY_S
from streams.events.batch import TimedBatch
from streams.events.decoding import decode_charges, decode_disputes
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.events.rows import EVENT
from streams.features.merchant_record import MERCHANT
from streams.formats.avro_program import load_kernel
from streams.kafka.partitioner import partitions_of
from streams.labels.pending import pending_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.settings.schema import Settings
    from streams.events.decoding import Decoded
    from streams.features.spec import Feature

_CARD = b"card"


def rehearse(settings: Settings) -> None:
    """Take charges and a dispute through both stages, the learners and scorers, in memory."""
    horizon_s = settings.label_horizon_days * DAY_S
    task = TaskInMemory(settings, lambda: 0.0)
    features = features_of(settings)
    prior = PriorScorer(features)
    outputs = [
        task.score(counted, prior)
        for events in (
            _events(decode_charges, _charge("disputed", 1.0), _charge("honest", 2.0)),
            _events(decode_disputes, _dispute("disputed", 3.0)),
            _events(decode_charges, _charge("after the horizon", 4.0 + horizon_s)),
        )
        for counted in task.count(events)
    ]
    task.commit()
    examples = np.concatenate([output.examples for output in outputs])
    assert len(examples) > 0, "the dispute makes an example"
    vectors = np.ascontiguousarray(examples["vector"])
    for kind in (DEFAULT, *settings.challengers):
        learner = LearnerStage(None, settings.snapshot_every_examples, kind, features)
        learner.learn(examples, range(len(examples)))
        scorer = KINDS[kind].scorer(learner.snapshot(), features)
        scorer.risks(scorer.predict(vectors))
        scorer.contributions(vectors)
    _draw(features)
    if settings.schema_registry_url:
        load_kernel()
    partitions_of([_CARD], 1)


def _draw(features: Sequence[Feature]) -> None:
    """Draw a charge for the holdout: by some costs none of those above is stopped."""
    answers = pending_layout(features).new(1)
    answers["action"] = BLOCK
    generous = Terms(holdout_share=1.0, holdout_amount_max_usd=inf, holdout_budget_usd=inf)
    terms = ChargeTerms.alike(generous, 1)
    records, slots = np.zeros(1, MERCHANT), np.zeros(1, np.intp)
    let_through(np.zeros(1, EVENT), answers, np.zeros(1), records, slots, terms, b"")


def _charge(charge_id: str, created: float) -> dict[str, object]:
    return _event(charge_id, created) | {"amount": 1, "currency": "usd", "device": "device"}


def _dispute(charge_id: str, created: float) -> dict[str, object]:
    return _event("dispute", created) | {"charge": charge_id, "reason": "fraudulent"}


def _event(event_id: str, created: float) -> dict[str, object]:
    return {"id": event_id, "created": created, "card": _CARD.decode(), "merchant": "merchant"}


def _events(
    decode: Callable[[list[Input], float], Decoded], *events: dict[str, object]
) -> TimedBatch:
    origin = Origin("rehearsal", 0, 0)
    decoded = decode([Input(_CARD, orjson.dumps(event), origin) for event in events], inf)
    assert not decoded.rejected
    return TimedBatch(decoded.batch.rows["created"], decoded.batch)
