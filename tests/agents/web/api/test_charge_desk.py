"""Answers to charges: by their deadline, on record, and one of each charge at all replicas."""

from __future__ import annotations

import asyncio
from random import Random
from typing import NamedTuple

import pytest

from agents.web.api import charge_desk
from agents.web.api.brokers import UnavailableError
from agents.web.api.charge_desk import GRACE_S
from agents.web.api.memory import Answer, Fallback, Scored
from tests.agents.web.api.virtual_loop import run
from tests.agents.web.api.world import CREATED, World, action_of

SCORED = Scored(b'{"charge":"c1","action":"block"}', CREATED)
FELL_BACK = Fallback("review", CREATED)


def test_a_score_that_comes_in_time_is_the_answer() -> None:
    async def play() -> None:
        world = World(Random(1))
        replica = world.replica()
        assert await replica.ask("c1") == SCORED
        assert world.charges[0][0] == ("card", "c1")
        assert not world.fallbacks(("card", "c1"))
        assert len(replica.desk.lag) == 0
        assert replica.desk.in_flight == 0

    run(play())


def test_without_workers_the_fallback_is_on_record_before_it_is_given() -> None:
    async def play() -> None:
        world = World(Random(2), works=False)
        replica = world.replica()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await replica.ask("c1") == FELL_BACK
        assert loop.time() - began <= 0.25 + GRACE_S
        assert world.fallbacks(("card", "c1")) == ["review"]
        assert len(replica.desk.lag) == 1

    run(play())


@pytest.mark.parametrize("deadline_s", [0.5, 1.5, 5.0])
def test_of_a_long_deadline_enough_is_left_for_brokers_that_pause(deadline_s: float) -> None:
    """What is put on record takes a sixth of the deadline, without a warning by those before it."""

    async def play() -> None:
        world = World(Random(14), works=False)
        replica = world.replica()
        loop = asyncio.get_running_loop()
        world.read_s = (deadline_s / 6, deadline_s / 6)
        began = loop.time()
        assert await replica.ask("c1", deadline_s) == FELL_BACK
        assert 0.75 * deadline_s < loop.time() - began <= deadline_s + GRACE_S

    run(play())


def test_brokers_that_do_not_answer_for_a_while_are_asked_again() -> None:
    async def play() -> None:
        world = World(Random(15), works=False)
        replica = world.replica()
        loop = asyncio.get_running_loop()
        loop.call_later(3.0, lambda: setattr(world, "is_away", True))
        loop.call_later(4.5, lambda: setattr(world, "is_away", False))
        assert await replica.ask("c1", 5.0) == FELL_BACK
        assert world.fallbacks(("card", "c1")) == ["review"]

    run(play())


def test_what_is_scored_later_stays_answered_by_fallback() -> None:
    async def play() -> None:
        world = World(Random(3), work_s=(0.6, 0.6))
        here, there = world.replica(), world.replica()
        assert await here.ask("c1") == FELL_BACK
        await asyncio.sleep(1.0)
        here.fallback = there.fallback = "allow"  # the merchant has changed its mind meanwhile
        assert await here.ask("c1") == await there.ask("c1") == FELL_BACK
        assert world.fallbacks(("card", "c1")) == ["review"]
        assert len(world.charges) == 1

    run(play())


def test_a_repeated_charge_is_not_sent_again_and_gets_the_same_event() -> None:
    async def play() -> None:
        world = World(Random(4))
        here, there = world.replica(), world.replica()
        assert await here.ask("c1") == await here.ask("c1") == await there.ask("c1") == SCORED
        assert len(world.charges) == 1

    run(play())


def test_a_replica_that_knows_nothing_of_it_gives_the_same_answer() -> None:
    """It has been answered so long ago that it is forgotten, or before the replica was there."""

    async def play() -> None:
        world = World(Random(5))
        here = world.replica()
        first = await here.ask("c1")
        await asyncio.sleep(1.0)
        later = world.replica()
        again = await later.ask("c1")
        assert action_of(first) == action_of(again) == "block"
        assert isinstance(again, Scored)
        assert b'"duplicate":true' in again.event

    run(play())


def test_an_id_that_comes_again_after_the_window_is_another_charge() -> None:
    """As it is for the workers: it is sent, and gets its own answer."""

    async def play() -> None:
        world = World(Random(13))
        replica = world.replica()
        first = await replica.ask("c1")
        key = ("card", "c1")
        replica.desk.memory._window_s = 1800.0
        asked = asyncio.create_task(replica.ask("c1", created=CREATED + 3600.0))
        await asyncio.sleep(0.02)
        request = world.charges[1][1]
        replica.desk.scored(key, b'{"of":"an earlier one"}', CREATED, request)
        replica.desk.scored(key, b'{"of":"another day"}', CREATED + 3600.0, request)
        assert await asked == Scored(b'{"of":"another day"}', CREATED + 3600.0)
        assert first == SCORED
        assert len(world.charges) == 2

    run(play())


def test_requests_for_the_same_charge_share_its_answer() -> None:
    async def play() -> None:
        world = World(Random(6), works=False)
        replica = world.replica()
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(
            replica.ask("c1", 0.25), replica.ask("c1", 0.1), replica.ask("c1", 5.0)
        )
        assert set(answers) == {FELL_BACK}
        assert loop.time() - began <= 0.1 + GRACE_S
        assert len(world.charges) == 1
        assert len(world.fallbacks(("card", "c1"))) == 1

    run(play())


def test_brokers_that_are_away_are_told_of_at_once_and_nothing_is_sent() -> None:
    async def play() -> None:
        world = World(Random(7), is_away=True)
        replica = world.replica()
        answer = await replica.ask("c1")
        assert isinstance(answer, UnavailableError)
        assert not answer.may_be_accepted
        assert asyncio.get_running_loop().time() == 1000.0
        assert not world.charges

    run(play())


def test_brokers_that_go_meanwhile_are_told_of_by_the_deadline() -> None:
    async def play() -> None:
        world = World(Random(8))
        replica = world.replica()
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, lambda: setattr(world, "is_away", True))
        world.works = False
        began = loop.time()
        answer = await replica.ask("c1")
        assert isinstance(answer, UnavailableError)
        assert answer.may_be_accepted
        assert 0.25 <= loop.time() - began <= 0.25 + GRACE_S
        assert not world.fallbacks(("card", "c1"))

    run(play())


def test_a_full_queue_and_too_many_requests_are_refused_at_once() -> None:
    async def play() -> None:
        world = World(Random(9), works=False)
        replica = world.replica(in_flight_max=3)
        answers = await asyncio.gather(*(replica.ask(f"c{n}") for n in range(5)))
        refused = [answer for answer in answers if isinstance(answer, UnavailableError)]
        assert len(refused) == 2
        assert not any(answer.may_be_accepted for answer in refused)
        world.is_full = True
        full = await replica.ask("c9")
        assert isinstance(full, UnavailableError)
        assert not full.may_be_accepted

    run(play())


def test_charges_behind_those_that_wait_too_long_fall_back_at_once() -> None:
    async def play() -> None:
        world = World(Random(10), works=False)
        replica = world.replica()
        loop = asyncio.get_running_loop()
        await replica.ask("c1")
        await asyncio.sleep(1.0)
        began = loop.time()
        assert await replica.ask("c2") == FELL_BACK
        assert loop.time() - began < 0.05
        # And not any more once the worker is back and quick.
        world.works = True
        for key, request in [(("card", "c1"), "x"), (("card", "c2"), "y")]:
            world.commit(("scored", key, "{}", request))
        await asyncio.sleep(0.1)
        assert isinstance(await replica.ask("c3"), Scored)

    run(play())


def test_no_more_is_taken_than_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charge_desk, "UNSCORED_MAX", 20)

    async def play() -> None:
        world = World(Random(11), works=False)
        replica = world.replica()
        answers = [await replica.ask(f"c{n}") for n in range(25)]
        assert answers[:20] == [FELL_BACK] * 20
        assert all(isinstance(answer, UnavailableError) for answer in answers[20:])
        assert len(world.charges) == 20

    run(play())


class Given(NamedTuple):
    """A request and its answer."""

    charge: str
    replica: int
    began: float
    ended: float
    deadline_s: float
    answer: Answer | UnavailableError

    @property
    def said(self) -> tuple[bool, str]:
        return isinstance(self.answer, Scored), action_of(self.answer)

    def overlaps(self, other: Given) -> bool:
        return (
            self.charge == other.charge
            and self.replica != other.replica
            and self.began < other.ended
            and other.began < self.ended
        )


async def play_at_random(seed: int, replicas: int) -> tuple[World, list[Given]]:
    """Ask for few charges again and again, over a worker that is just quick enough, or not."""
    random = Random(seed)
    world = World(
        random,
        ack_s=(0.001, random.choice([0.004, 0.02])),
        work_s=(0.02, random.choice([0.06, 0.2, 0.4])),
        read_s=(0.001, random.choice([0.003, 0.03])),
    )
    made = [world.replica() for _ in range(replicas)]
    asked = []
    loop = asyncio.get_running_loop()

    async def client(number: int) -> None:
        own = Random(seed * 1000 + number)
        for _ in range(12):
            await asyncio.sleep(own.uniform(0.0, 0.3))
            charge, replica = f"c{own.randrange(12)}", own.randrange(replicas)
            deadline_s = own.choice([0.03, 0.1, 0.25])
            began = loop.time()
            answer = await made[replica].ask(charge, deadline_s)
            asked.append(Given(charge, replica, began, loop.time(), deadline_s, answer))

    await asyncio.gather(*map(client, range(6)))
    await asyncio.sleep(2.0)
    return world, asked


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("seed", range(75))
def test_one_answer_a_charge_whatever_the_timing(seed: int, replicas: int) -> None:
    """Whoever asks after an answer gets that one, from whichever replica.

    Save where two replicas were asked at the same time, and the score came just while one of them
    was putting the fallback on record.
    """
    world, asked = run(play_at_random(seed, replicas))
    given = [each for each in asked if not isinstance(each.answer, UnavailableError)]
    assert len(given) > len(asked) / 2
    scored = {key for kind, key, *_ in world.log if kind == "scored"}
    for one in asked:
        assert one.ended - one.began <= one.deadline_s + GRACE_S + 1e-6
        if isinstance(one.answer, Scored):
            assert ("card", one.charge) in scored
        elif isinstance(one.answer, Fallback):
            assert world.fallbacks(("card", one.charge))[0] == one.answer.action
    for one in given:
        for later in given:
            if later.charge == one.charge and later.began > one.ended and later.said != one.said:
                beside = [each for each in asked if each.overlaps(one)]
                assert any(each.said in {later.said, (False, "none")} for each in beside), seed


def test_everything_that_was_accepted_is_known_to_wait_or_scored() -> None:
    """The count of what the workers still have to score goes back to nothing."""

    async def play() -> None:
        world = World(Random(12), work_s=(0.02, 0.5))
        replica = world.replica(in_flight_max=1000)
        await asyncio.gather(*(replica.ask(f"c{n}") for n in range(300)))
        await asyncio.sleep(2.0)
        assert len(replica.desk.lag) == 0
        assert len(world.charges) == 300

    run(play())
