"""Parts that come with their frames: what comes out is what would come of each by itself."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from agents.shared_entities.gathering import Gathering
from tests.agents.shared_entities.made import KINDS, Told
from tests.agents.shared_entities.test_gathering import Machine

if TYPE_CHECKING:
    from tests.agents.shared_entities.test_gathering import Input


def a_turn(random: Random, first: int) -> list[Input]:
    """Return events of few cards, and behind them the parts of all, in any order."""
    events = []
    for number in range(first, first + random.randrange(1, 9)):
        is_label = random.random() < 0.2
        kinds = tuple(k for k in KINDS if random.random() < 0.5) if not is_label else ()
        events.append(Told(number, random.randrange(1, 4), kinds, is_label))
    parts: list[Input] = [(event, kind) for event in events for kind in event.kinds]
    random.shuffle(parts)
    return [*events, *parts]


@pytest.mark.parametrize("seed", range(10))
def test_together_they_come_out_as_one_by_one(seed: int) -> None:
    random = Random(seed)
    at_once, one_by_one, first = Machine(), Machine(), 0
    for _ in range(20):
        turn = a_turn(random, first)
        first += len(turn)
        with patch.object(Gathering, "_add_frames", side_effect=AssertionError(seed)):
            at_once.take(turn)
        for each in turn:
            one_by_one.take([each])
        assert at_once.out == one_by_one.out, seed
        assert len(at_once.gathering) == 0


@pytest.mark.parametrize("seed", range(10))
def test_where_some_are_missing_they_come_out_as_one_by_one(seed: int) -> None:
    random = Random(seed)
    at_once, one_by_one, first, late = Machine(), Machine(), 0, list[Told | tuple[Told, str]]()
    for _ in range(20):
        turn = a_turn(random, first)
        first += len(turn)
        kept = [each for each in turn if isinstance(each, Told) or random.random() < 0.8]
        kept += late if random.random() < 0.5 else []
        late = [each for each in [*late, *turn] if each not in kept]
        at_once.take(kept)
        for each in kept:
            one_by_one.take([each])
        assert at_once.out == one_by_one.out, seed
        assert len(at_once.gathering) == len(one_by_one.gathering)
