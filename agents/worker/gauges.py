"""How a worker stands: lag, restores, stores, caches, models. Brought up to date once a second."""

from __future__ import annotations

from collections import Counter as Sums
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Info

from agents.models.track_record import figures_of
from agents.rules.figures import BANDS_EUR
from agents.telemetry.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agents.learning.model_follower import ModelFollower
    from agents.policy.policy import Policy
    from agents.stages.tasks import TaskStages
    from streams.engine.buffers import PartitionBuffer
    from streams.engine.engine import Engine
    from streams.engine.restore import Progress
    from streams.engine.task import Task

LAG_MESSAGES = Series(
    "chargewatch_lag_messages", "Messages not yet taken, by input", ["source", "task"]
)
LAG_SECONDS = Series(
    "chargewatch_lag_seconds",
    "How long the first message that was not taken has been in the log, 0 where none waits",
    ["source", "task"],
)
DISPUTES_WAITING = Gauge(
    "chargewatch_disputes_waiting",
    "Disputes and outcomes that wait: for their charge to come, or for charges to reach their time",
    ["until"],
)
CHARGES_WAITING = Gauge(
    "chargewatch_charges_waiting",
    "Charges that wait for what they share with others, and what waits behind them",
)
TASKS = Gauge("chargewatch_tasks", "Tasks of this worker, by state", ["state"])
RESTORED_RECORDS = Gauge("chargewatch_restored_records", "Records read by restores under way")
RESTORE_LEFT = Gauge("chargewatch_restore_left_records", "Records that these still have to read")
STATE_BYTES = Series("chargewatch_state_bytes", "Size of a local database on disk", ["task"])
STATE_RECORDS = Gauge("chargewatch_state_records", "About how many records these hold")
MEMTABLE_BYTES = Gauge("chargewatch_state_memtable_bytes", "What was written and is in no file yet")
BLOCK_CACHE_BYTES = Gauge("chargewatch_state_cache_bytes", "Blocks of files that are in memory")
COMPACTION_BYTES = Gauge(
    "chargewatch_state_compaction_bytes", "About how much is yet to be compacted"
)
STALLED = Gauge("chargewatch_state_stalled", "Local databases in which writes wait for that")
LOOKUPS = Counter(
    "chargewatch_cache_lookups", "Records that events asked for, by kind of entity", ["entity"]
)
MISSES = Counter("chargewatch_cache_misses", "Those of them that were not in memory", ["entity"])
RULES = Gauge("chargewatch_rules", "Rules in force, all merchants together")
FRAUD_RATE = Gauge(
    "chargewatch_fraud_rate",
    "Value of fraud over value charged, of remote card payments above the band before, in 90 days",
    ["band"],
)
MODEL = Info("chargewatch_model", "The model that scores")
MODEL_AGE_SECONDS = Gauge("chargewatch_model_age_seconds", "Time since its snapshot came")
CHAMPION = Series("chargewatch_model_champion", "1 of the model that scores, else 0", ["model"])
LEARNED_UNTIL = Series(
    "chargewatch_model_learned_until_seconds",
    "When the newest charge was made that a model has learned, Unix seconds",
    ["model"],
)
LEARNED = Series("chargewatch_model_examples", "Examples that a model has learned", ["model"])
LOG_LOSS = Series(
    "chargewatch_model_log_loss", "Of scores given before learning, of late", ["model"]
)
AVERAGE_PRECISION = Series(
    "chargewatch_model_average_precision", "Of scores given before learning, of late", ["model"]
)


class Gauges:
    """Shows how a worker stands.

    Parameters
    ----------
    engine, models
        Of the worker.
    """

    def __init__(self, engine: Engine, models: ModelFollower) -> None:
        self._engine = engine
        self._lag = LagGauges()
        self._models = ModelGauges(models)

    def show(self, stages: Sequence[TaskStages], policy: Policy, now: float) -> None:
        """Bring all gauges up to date.

        Parameters
        ----------
        stages
            Of the tasks that run.
        policy
            That is in force.
        now
            Unix seconds.
        """
        tasks = list(self._engine.tasks.values())
        self._lag.show(tasks, now)
        show_tasks(len(tasks), self._engine.restoring.values(), len(self._engine.copied))
        show_stores(tasks)
        show_stages(stages)
        self._models.show()
        show_policy(policy)


class LagGauges:
    """Shows how far tasks are behind.

    How long a message waits is known by when the broker had it. Of one that was not fetched that is
    not known: it came after the newest that was, and after nothing waited.
    """

    def __init__(self) -> None:
        self._nothing_waited_at: dict[tuple[str, str], float] = {}

    def show(self, tasks: Iterable[Task], now: float) -> None:
        """Show it of the tasks that run, at a time, Unix seconds."""
        buffers = {
            (source, str(task.number)): buffer
            for task in tasks
            for source, buffer in task.buffers.items()
        }
        before = self._nothing_waited_at
        self._nothing_waited_at = {
            place: now if _is_at_end(buffer) else before.get(place, 0.0)
            for place, buffer in buffers.items()
        }
        LAG_MESSAGES.show({place: buffer.lag for place, buffer in buffers.items()})
        LAG_SECONDS.show({place: self._lag_s(place, buffers[place], now) for place in buffers})

    def _lag_s(self, place: tuple[str, str], buffer: PartitionBuffer, now: float) -> float:
        since = max(buffer.logged_at, self._nothing_waited_at[place])
        return max(now - since, 0.0) if buffer.lag and since else 0.0


def _is_at_end(buffer: PartitionBuffer) -> bool:
    """Tell whether it is known that nothing waits."""
    return not buffer.lag and not buffer.is_behind


def show_tasks(running: int, restores: Iterable[Progress], standby: int) -> None:
    """Show how many tasks run and are copied, and how far those are that are restored."""
    under_way = list(restores)
    TASKS.labels("running").set(running)
    TASKS.labels("restoring").set(len(under_way))
    TASKS.labels("standby").set(standby)
    RESTORED_RECORDS.set(sum(restore.records for restore in under_way))
    RESTORE_LEFT.set(sum(restore.end - restore.position for restore in under_way))


def show_stores(tasks: Iterable[Task]) -> None:
    """Show how large the stores of tasks are, and how they keep up."""
    figures = {(str(task.number),): task.state.store.figures() for task in tasks}
    of_all = figures.values()
    STATE_BYTES.show({task: each.disk_bytes for task, each in figures.items()})
    STATE_RECORDS.set(sum(each.records for each in of_all))
    MEMTABLE_BYTES.set(sum(each.memtable_bytes for each in of_all))
    BLOCK_CACHE_BYTES.set(sum(each.cache_bytes for each in of_all))
    COMPACTION_BYTES.set(sum(each.compaction_bytes for each in of_all))
    STALLED.set(sum(each.is_stopped for each in of_all))


def show_stages(stages: Sequence[TaskStages]) -> None:
    """Show what waits in the tasks of a worker, and how often records were in memory."""
    CHARGES_WAITING.set(sum(stage.waiting for stage in stages))
    waiting = [stage.card.waiting for stage in stages]
    DISPUTES_WAITING.labels("charge").set(sum(each.for_charge for each in waiting))
    DISPUTES_WAITING.labels("time").set(sum(each.for_time for each in waiting))
    asked, missed = Sums[str](), Sums[str]()
    for stage in stages:
        for entity, lookups in stage.take_lookups().items():
            asked[entity] += lookups.asked
            missed[entity] += lookups.missed
    for entity in asked:
        LOOKUPS.labels(entity).inc(asked[entity])
        MISSES.labels(entity).inc(missed[entity])


class ModelGauges:
    """Shows which model scores, and how well all have of late.

    Parameters
    ----------
    follower
        Has the models.
    """

    def __init__(self, follower: ModelFollower) -> None:
        self._follower = follower
        self._shown: Mapping[str, str] = {}

    def show(self) -> None:
        """Bring it up to date; figures only of snapshots that are new."""
        follower = self._follower
        MODEL.info({"version": follower.scorer.version})
        MODEL_AGE_SECONDS.set(follower.age_s)
        newest = {name: follower.book.newest(name) for name in follower.names}
        CHAMPION.show({(name,): float(name == follower.book.champion.name) for name in newest})
        snapshots = {name: snapshot for name, snapshot in newest.items() if snapshot is not None}
        versions = {name: snapshot.version for name, snapshot in snapshots.items()}
        if versions == self._shown:
            return
        self._shown = versions
        figures = {name: figures_of(snapshot) for name, snapshot in snapshots.items()}
        LEARNED_UNTIL.show({(name,): each.created for name, each in snapshots.items()})
        LEARNED.show({(name,): each.examples for name, each in snapshots.items()})
        LOG_LOSS.show({(name,): each.log_loss for name, each in figures.items()})
        AVERAGE_PRECISION.show({(name,): each.average_precision for name, each in figures.items()})


def show_policy(policy: Policy) -> None:
    """Show the rules in force, and the fraud rates; NaN while nothing was charged in a band."""
    RULES.set(len(policy.rules.by_hash))
    for band, rate in zip(BANDS_EUR, policy.figures.fraud_rates, strict=True):
        FRAUD_RATE.labels(str(band)).set(rate)
