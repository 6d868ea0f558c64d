"""The simulation finds bugs: each of these, planted on purpose, within so many seeds."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest

from agents.shared_entities.chunks import Chunk
from agents.shared_entities.entity_stage import EntityStage
from agents.shared_entities.gathering import Gathering
from agents.stages import card, holdout
from agents.stages.merchant import MerchantStage
from agents.worker.turn import Turns
from streams.engine import commits, restore
from streams.engine.commits import Commits
from streams.engine.direct_path import DirectPath
from streams.engine.engine import Engine
from streams.engine.inputs import Inputs
from streams.engine.membership import Membership
from streams.engine.task import Task
from streams.kafka.transactional_producer import TransactionalProducer
from streams.labels import maturing
from streams.labels.charge_index import KnownCharge
from streams.labels.dispute_order import DisputeOrder
from streams.labels.join import LabelJoin
from streams.labels.pending import FRAUD_LABEL, WENT_THROUGH
from streams.state.tables import Table
from tests.simulation.conftest import on_one_core
from tests.simulation.consumer import SimulatedConsumer
from tests.simulation.counting import CountingStages
from tests.simulation.faults import (
    AFTER_CHANGELOG,
    AFTER_OFFSETS,
    FENCE,
    PAUSE,
    UNANSWERED,
    Coverage,
    Fault,
)
from tests.simulation.groups import Group, Member
from tests.simulation.member import REVOKE
from tests.simulation.simulation import ScheduleError, Simulation, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from confluent_kafka import Consumer, Message, TopicPartition
    from numpy.typing import NDArray

    from streams.events.batch import Batch
    from streams.events.rows import Rows
    from streams.kafka.partition_reader import PartitionReader
    from streams.state.store import Changes, Store

ZOMBIE = Fault(AFTER_CHANGELOG, PAUSE, 8.0)
HALF_COMMITTED = Fault(AFTER_OFFSETS, PAUSE, 8.0)
TWIN = Fault(UNANSWERED, FENCE, 0.5)
FORGOTTEN = Fault(REVOKE, PAUSE, 20.0)


class Plant(NamedTuple):
    """A bug: what is replaced by what, and the schedules and seeds to find it in.

    A rare one is found from a later seed on, where it takes fewer.
    """

    patches: Callable[[], list[Any]]
    within: int
    faults: tuple[Fault, ...] = ()
    is_real: bool = False
    is_static: bool = False
    first: int = 0


def state_is_stored_before_the_commit() -> list[Any]:
    seal = Task.seal

    def store_at_once(task: Task) -> Changes:
        changes = seal(task)
        store = task.state.store
        store.write(changes, [], store.offset or 0)
        return changes

    return [patch.object(Task, "seal", store_at_once)]


def offsets_are_committed_before_the_outputs() -> list[Any]:
    send, commit = TransactionalProducer.send, TransactionalProducer.commit
    prepare, abort = TransactionalProducer.prepare, TransactionalProducer.abort
    kept: dict[TransactionalProducer, list[Callable[[], None]]] = {}
    late: dict[TransactionalProducer, list[Callable[[], None]]] = {}

    def keep(producer: TransactionalProducer, *output: Any, **named: Any) -> None:
        kept.setdefault(producer, []).append(partial(send, producer, *output, **named))

    def hold(producer: TransactionalProducer) -> None:
        late[producer] = kept.pop(producer, [])

    def commit_first(
        producer: TransactionalProducer, offsets: Sequence[TopicPartition], consumer: Consumer
    ) -> None:
        commit(producer, offsets, consumer)
        for send_late in late.pop(producer, []):
            send_late()
        prepare(producer, [], [], consumer.consumer_group_metadata())
        commit(producer, [], consumer)

    def drop(producer: TransactionalProducer) -> None:
        kept.pop(producer, None)
        late.pop(producer, None)
        abort(producer)

    return [
        patch.object(TransactionalProducer, "send", keep),
        patch.object(TransactionalProducer, "hold", hold),
        patch.object(TransactionalProducer, "commit", commit_first),
        patch.object(TransactionalProducer, "abort", drop),
    ]


def outputs_are_not_held_back_during_a_commit() -> list[Any]:
    return [patch.object(TransactionalProducer, "hold", lambda _: None)]


def what_changes_during_a_commit_counts_as_written() -> list[Any]:
    return [patch.object(Table, "forget_sealed", lambda table, _: table.forget_changes())]


def a_failed_commit_leaves_the_work_done_since() -> list[Any]:
    abort = Commits.abort

    def only_what_was_sealed(commits: Commits) -> None:
        tasks = commits._tasks.running.values()
        if any(task.is_sealed for task in tasks):
            for task in tasks:
                task.is_dirty = False
        abort(commits)

    return [patch.object(Commits, "abort", only_what_was_sealed)]


def an_abort_leaves_the_changes() -> list[Any]:
    def keep(task: Task) -> dict[str, int]:
        task.state.unseal()
        task.start(task._committed)
        task.is_dirty = task.is_sealed = False
        return task._committed

    return [patch.object(Task, "roll_back", keep)]


def an_abort_leaves_what_the_stages_hold() -> list[Any]:
    return [patch.object(CountingStages, "reload", lambda _: None)]


def an_abort_does_not_seek_back() -> list[Any]:
    def stay(engine: Engine) -> None:
        engine._tasks.forget_undone()
        go_back(engine)

    go_back = Engine._go_back
    return [patch.object(Engine, "_go_back", stay)]


def the_end_of_a_partition_is_taken_for_a_message() -> list[Any]:
    def one_too_far(inputs: Inputs, tasks: Mapping[int, Task], end: Message) -> None:
        task = tasks.get(end.partition() or 0)
        if task is not None:
            buffer = task.buffers[inputs._source_of[end.topic() or ""]]
            buffer.fetched = max(buffer.fetched, (end.offset() or 0) + 1)

    return [patch.object(Inputs, "note_end", one_too_far)]


def open_transactions_are_read() -> list[Any]:
    start = SimulatedConsumer.__init__

    def uncommitted(consumer: Any, process: Any, broker: Any, config: dict[str, object]) -> None:
        start(consumer, process, broker, {**config, "isolation.level": "read_uncommitted"})

    return [patch.object(SimulatedConsumer, "__init__", uncommitted)]


def offsets_are_sent_by_nobody_in_particular() -> list[Any]:
    anonymous = Member("", -1, "")
    return [patch.object(SimulatedConsumer, "consumer_group_metadata", lambda _: anonymous)]


def offsets_are_asked_for_while_a_commit_is_under_way() -> list[Any]:
    return [patch.object(Group, "is_stable", lambda *_: True)]


def a_store_ahead_of_its_changelog_is_trusted() -> list[Any]:
    def trust(store: Store, reader: PartitionReader, _: int) -> tuple[int, int]:
        low, end = reader.watermarks()
        position = low if store.offset is None else min(store.offset, end)
        reader.seek(position)
        return position, end

    return [patch.object(restore, "seek_to_store", trust)]


def a_restore_ends_at_what_is_visible() -> list[Any]:
    def up_to_now(
        _: object, __: Store, reader: PartitionReader, ___: int
    ) -> Iterator[Sequence[Any]]:
        yield from reader.read_to_end()

    return [patch.object(restore, "_up_to", up_to_now)]


def a_commit_without_an_answer_is_undone() -> list[Any]:
    return [patch("streams.engine.commits.UnknownOutcomeError", _NeverRaised)]


def a_lost_task_goes_on() -> list[Any]:
    return [patch.object(Membership, "_on_lost", lambda *_: None)]


def a_member_that_was_forgotten_goes_on_with_its_tasks() -> list[Any]:
    return [patch.object(Commits, "_given_to_a_former_member", lambda *_: [])]


def the_clock_is_moved_by_disputes() -> list[Any]:
    def by_all(start: float, events: Rows, _: object) -> NDArray[np.float64]:
        return clocks(start, events, np.ones(len(events), np.bool_))

    clocks = card._clocks
    return [patch.object(card, "_clocks", by_all)]


def an_abort_leaves_disputes_waiting_though_charges_have_paused() -> list[Any]:
    start = Task.start

    def still_paused(task: Task, positions: dict[str, int]) -> None:
        is_paused = task.is_paused
        start(task, positions)
        task.is_paused = is_paused

    return [patch.object(Task, "start", still_paused)]


def a_turn_commits_before_its_work_is_handed_on() -> list[Any]:
    async def commit_first(turns: Turns, *fetched: Any) -> None:
        await turns._commit_if_due()
        await hand_on(turns, *fetched)

    hand_on = Turns._hand_on
    return [patch.object(Turns, "_hand_on", commit_first)]


def a_stopped_charge_becomes_a_negative() -> list[Any]:
    def all_of_them(_: LabelJoin, kept: Rows) -> NDArray[np.bool_]:
        return np.ones(len(kept), np.bool_)

    return [patch.object(LabelJoin, "_went_through", all_of_them)]


def a_verdict_counts_beside_a_dispute() -> list[Any]:
    def as_if_new(labels: LabelJoin, key: bytes, now: float, source: int) -> Rows:
        charge = labels.kept.charge(key)
        charge["labels"] &= ~np.uint8(FRAUD_LABEL)
        labels.kept.put([key], charge)
        return fraud(labels, key, now, source)

    fraud = LabelJoin.fraud
    return [patch.object(LabelJoin, "fraud", as_if_new)]


def the_same_verdict_counts_twice() -> list[Any]:
    def never(*_: object) -> NDArray[np.float64]:
        return np.empty(0)

    return [*a_verdict_counts_beside_a_dispute(), patch.object(card.CardStage, "_told", never)]


def a_replay_draws_others_for_the_holdout() -> list[Any]:
    replays: list[MerchantStage] = []

    def note(stage: MerchantStage) -> None:
        replays.append(stage)
        reload(stage)

    def by_replay(charges: NDArray[np.uint64], key: bytes) -> NDArray[np.float64]:
        return draws(charges, key + b"%d" % len(replays) if replays else key)

    reload, draws = MerchantStage.reload, holdout._draws
    return [
        patch.object(MerchantStage, "reload", note),
        patch.object(holdout, "_draws", by_replay),
    ]


def an_outcome_overtakes_its_charge() -> list[Any]:
    def at_once(order: DisputeOrder, turn: Any, known: Any, place: int, charge: bytes) -> None:
        if known is None:
            made = float(turn.batch.rows["created"][place])
            known = KnownCharge(made, turn.batch.merchants[place])
        take(order, turn, known, place, charge)

    take = DisputeOrder._take_dispute
    return [patch.object(DisputeOrder, "_take_dispute", at_once)]


def what_others_let_through_is_told_of_as_seen() -> list[Any]:
    def not_yet_let_through(kept: Rows) -> NDArray[np.bool_]:
        unseen: NDArray[np.bool_] = is_stopped(kept) & (kept["labels"] & WENT_THROUGH == 0)
        return unseen

    is_stopped = maturing.is_stopped
    return [patch.object(maturing, "is_stopped", not_yet_let_through)]


def a_charge_is_scored_before_its_last_part() -> list[Any]:
    def all_but_one(chunk: Chunk, place: int) -> bool:
        return chunk.missing[place] <= len(chunk.parts[place]) + 1

    return [patch.object(Chunk, "is_complete", all_but_one)]


def an_abort_leaves_what_entities_have_counted() -> list[Any]:
    return [patch.object(EntityStage, "reload", lambda _: None)]


def what_waits_for_parts_is_not_kept() -> list[Any]:
    return [patch.object(Chunk, "store", lambda *_: None)]


def parts_that_have_come_are_not_kept() -> list[Any]:
    def without_parts(chunk: Chunk, table: Table) -> None:
        chunk._new_parts = []
        store(chunk, table)

    store = Chunk.store
    return [patch.object(Chunk, "store", without_parts)]


def a_charge_overtakes_those_of_its_card_that_wait() -> list[Any]:
    def at_once(gathering: Gathering, frames: Batch) -> object:
        queues, gathering._queues = gathering._queues, {}
        try:
            return add(gathering, frames)
        finally:
            for card, queue in gathering._queues.items():
                queues.setdefault(card, queue.__class__()).extend(queue)
            gathering._queues = queues

    add = Gathering._add_frames
    return [patch.object(Gathering, "_add_frames", at_once)]


def what_was_handed_on_is_read_again() -> list[Any]:
    return [patch.object(commits, "pass_by", lambda *_: True)]


def frames_are_handed_on_before_those_in_the_topic() -> list[Any]:
    def open_at_once(path: DirectPath, *_: object) -> None:
        path.is_open = True

    return [patch.object(DirectPath, "open_or_drain", open_at_once)]


def frames_are_handed_on_beside_other_workers() -> list[Any]:
    return [patch.object(DirectPath, "close", lambda _: None)]


class _NeverRaised(Exception):  # noqa: N818
    pass


PLANTS = (
    Plant(state_is_stored_before_the_commit, 50),
    Plant(offsets_are_committed_before_the_outputs, 50),
    Plant(outputs_are_not_held_back_during_a_commit, 50),
    Plant(what_changes_during_a_commit_counts_as_written, 50, is_real=True),
    Plant(a_failed_commit_leaves_the_work_done_since, 50, (ZOMBIE,), first=400),
    Plant(an_abort_leaves_the_changes, 50, (ZOMBIE,)),
    Plant(an_abort_leaves_what_the_stages_hold, 300, (ZOMBIE,)),
    Plant(an_abort_does_not_seek_back, 50, (ZOMBIE,)),
    Plant(the_end_of_a_partition_is_taken_for_a_message, 50),
    Plant(open_transactions_are_read, 50),
    Plant(offsets_are_sent_by_nobody_in_particular, 50, (ZOMBIE,)),
    Plant(offsets_are_asked_for_while_a_commit_is_under_way, 50, (HALF_COMMITTED,)),
    Plant(a_store_ahead_of_its_changelog_is_trusted, 300),
    Plant(a_restore_ends_at_what_is_visible, 100, (HALF_COMMITTED,), first=120),
    Plant(a_commit_without_an_answer_is_undone, 50, (TWIN,)),
    Plant(a_lost_task_goes_on, 50, (ZOMBIE,)),
    Plant(the_clock_is_moved_by_disputes, 50, is_real=True),
    Plant(an_abort_leaves_disputes_waiting_though_charges_have_paused, 50, is_real=True, first=670),
    Plant(
        a_member_that_was_forgotten_goes_on_with_its_tasks,
        100,
        (FORGOTTEN,),
        is_static=True,
        first=3050,
    ),
    Plant(a_turn_commits_before_its_work_is_handed_on, 50),
    Plant(a_turn_commits_before_its_work_is_handed_on, 50, is_real=True),
    Plant(a_stopped_charge_becomes_a_negative, 50, is_real=True),
    Plant(a_verdict_counts_beside_a_dispute, 50, is_real=True),
    Plant(the_same_verdict_counts_twice, 50, is_real=True),
    Plant(a_replay_draws_others_for_the_holdout, 100, (ZOMBIE,), is_real=True),
    Plant(an_outcome_overtakes_its_charge, 50, is_real=True),
    Plant(what_others_let_through_is_told_of_as_seen, 50, is_real=True, first=30),
    Plant(a_charge_is_scored_before_its_last_part, 50, is_real=True),
    Plant(an_abort_leaves_what_entities_have_counted, 100, (ZOMBIE,), is_real=True),
    Plant(what_waits_for_parts_is_not_kept, 100, is_real=True),
    Plant(parts_that_have_come_are_not_kept, 300, is_real=True),
    Plant(a_charge_overtakes_those_of_its_card_that_wait, 100, is_real=True),
    Plant(what_was_handed_on_is_read_again, 50),
    Plant(frames_are_handed_on_before_those_in_the_topic, 50, is_real=True),
    Plant(frames_are_handed_on_beside_other_workers, 50, first=100),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.patches.__name__)
def test_a_planted_bug_is_found(plant: Plant) -> None:
    variant = Variant(faults=plant.faults, is_real=plant.is_real, is_static=plant.is_static)
    with on_one_core(), ExitStack() as planted:
        for bug in plant.patches():
            planted.enter_context(bug)
        seeds = range(plant.first, plant.first + plant.within)
        assert any(fails(seed, variant) for seed in seeds)


def fails(seed: int, variant: Variant) -> bool:
    try:
        Simulation(seed, variant, Coverage()).run()
    except ScheduleError:
        return True
    return False
