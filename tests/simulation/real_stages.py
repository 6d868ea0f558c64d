"""The real pipeline in a simulation: card and merchant stage, labels, learner."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from agents.models import linear
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from agents.stages.tasks import TaskStages, new_task
from agents.worker import latencies
from agents.worker.latencies import Latencies
from agents.worker.pipeline import Pipeline
from streams.engine.application import TaskFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.engine.task import Task
    from streams.kafka.clients import Clients
    from streams.state.store import Store

_DAY_S = 86_400.0
_HORIZON_S = 10.0
ORPHAN_WAIT_S = 30.0

SETTINGS = Settings(
    worker_id="",
    session_timeout_ms=6000,
    cache_records=4,
    label_horizon_days=_HORIZON_S / _DAY_S,
    orphan_wait_hours=ORPHAN_WAIT_S / 3600.0,
    negative_rate=1.0,
    snapshot_every_examples=5,
    snapshot_every_s=1.0,
    challengers=(linear.KIND,),
    costs=Costs(margin_share=0.02),
    holdout_share=0.5,
    holdout_amount_max_usd=1e6,
    holdout_budget_usd=1e9,
    holdout_key="the key of all workers",
)
"""A cache so small that records leave it, and labels and snapshots so often that some come; so
little is lost with a good charge that some are stopped, of which half are let through."""


@contextmanager
def separate_metrics() -> Iterator[None]:
    """Let each worker register its latencies for itself: a real process has but one worker."""

    def registered_apart(**settings: bool) -> Latencies:
        return Latencies(CollectorRegistry(), **settings)

    with patch.object(latencies, "Latencies", registered_apart):
        yield


def waits_for_time(task: Task) -> bool:
    """Tell whether disputes of known charges wait for charges to reach their time."""
    assert isinstance(task.stages, TaskStages)
    return task.stages.card.waiting.for_time > 0


def real_pipeline(
    settings: Settings, clients: Clients, open_store: Callable[[int], Store]
) -> Pipeline:
    """Return the pipeline of a worker, with the stores of its tasks where the simulation has them.

    Parameters
    ----------
    settings
        Of the worker.
    clients
        Makes its Kafka clients.
    open_store
        Opens the store of a task.
    """
    factory = TaskFactory(open_store, partial(new_task, settings=settings))
    return Pipeline(settings, clients, factory)
