"""The book of models: what the topic says does not depend on compaction or on late snapshots."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from agents.learning.model_registry import ModelBook
from agents.models.kinds import DEFAULT
from schemas.control import CHAMPION_KEY, Champion, Former, Loaded, encode_control, loaded_key
from schemas.snapshot import Snapshot, encode_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.agents.learning.feeds import Record


def snapshot(name: str, examples: int, loaded: str = "") -> Snapshot:
    version = f"{name}-{loaded}{examples:010d}"
    return Snapshot(name, "kind", version, examples * 2, examples, 1.0, (), {}, loaded)


def published(found: Snapshot) -> Record:
    return found.name.encode(), encode_snapshot(found)


def load(identifier: str, found: Snapshot) -> Record:
    return loaded_key(found.name), encode_control(Loaded(identifier, found))


def champion(name: str, frozen: Snapshot | None = None) -> Record:
    return CHAMPION_KEY, encode_control(Champion(name, frozen, Former("b")))


def book(records: Iterable[Record]) -> ModelBook:
    result = ModelBook()
    result.take(records)
    return result


def test_nothing_is_there() -> None:
    empty = book([])
    assert empty.champion == Champion(DEFAULT)
    assert empty.scoring() is None
    assert empty.names == []


def test_the_newest_snapshot_of_each_model_counts() -> None:
    found = book([published(snapshot(*model)) for model in (("a", 1), ("b", 5), ("a", 2))])
    assert found.newest("a") == snapshot("a", 2)
    assert found.newest("b") == snapshot("b", 5)
    assert found.newest("c") is None
    assert found.names == ["a", "b"]


def test_it_tells_what_has_changed() -> None:
    found = ModelBook()
    assert found.take([published(snapshot("a", 1)), published(snapshot("b", 1))]) == {"a", "b"}
    assert found.take([champion("b")]) == {"b"}
    assert found.take([load("00000001", snapshot("a", 9))]) == {"a"}
    assert found.take([(None, b"{}"), (b"a", None)]) == set()


def test_the_champion_scores_by_its_newest_snapshot_unless_it_is_frozen() -> None:
    records = [published(snapshot("a", 1)), champion("a"), published(snapshot("a", 2))]
    assert book(records).scoring() == snapshot("a", 2)
    frozen = [*records, champion("a", snapshot("a", 1)), published(snapshot("a", 3))]
    assert book(frozen).scoring() == snapshot("a", 1)
    assert book(frozen).newest("a") == snapshot("a", 3)
    assert book([*frozen, champion("a")]).scoring() == snapshot("a", 3)


@pytest.mark.parametrize(
    ("snapshots", "stands"),
    [
        ([], "loaded"),
        ([snapshot("a", 41)], "loaded"),
        ([snapshot("a", 41, "00000000")], "loaded"),
        ([snapshot("a", 8, "0000000a")], "snapshot"),
    ],
)
def test_a_loaded_model_stands_in_until_its_learner_goes_on_from_it(
    snapshots: Sequence[Snapshot], stands: str
) -> None:
    for records in (
        [*map(published, snapshots), load("0000000a", snapshot("a", 7))],
        [load("0000000a", snapshot("a", 7)), *map(published, snapshots)],
    ):
        found = book(records).newest("a")
        assert found is not None
        if stands == "snapshot":
            assert found == snapshots[0]
        else:
            offset = snapshots[0].offset if snapshots else 0
            assert (found.loaded, found.offset, found.loaded_at) == ("0000000a", offset, offset)
            assert found.examples == 7
            assert found.version == "a-0000000a-0000000007"


def test_a_snapshot_of_the_learner_before_that_comes_late_changes_nothing() -> None:
    loaded = load("0000000a", snapshot("a", 7))
    records = [loaded, published(snapshot("a", 8, "0000000a")), published(snapshot("a", 42))]
    found = book(records).newest("a")
    assert found is not None
    assert found.loaded == "0000000a"


@pytest.mark.parametrize("seed", range(20))
def test_compaction_changes_nothing(seed: int) -> None:
    random = Random(seed)
    records = []
    for number in range(30):
        name = random.choice("ab")
        found = snapshot(name, number, random.choice(["", "0000000a", "0000000b"]))
        kind = random.choice([published, published, champion, load])
        if kind is published:
            records.append(published(found))
        elif kind is load:
            records.append(load(random.choice(["0000000a", "0000000b"]), found))
        else:
            records.append(champion(name, random.choice([None, found])))
    kept = {key: (place, value) for place, (key, value) in enumerate(records)}
    compacted = [(key, value) for key, (_, value) in sorted(kept.items(), key=lambda k: k[1][0])]
    whole, rest = book(records), book(compacted)
    assert len(compacted) < len(records)
    assert whole.champion == rest.champion
    assert whole.names == rest.names
    for name in "ab":
        assert whole.newest(name) == rest.newest(name)
    assert whole.scoring() == rest.scoring()


def test_what_is_asked_for_again_is_what_came_last() -> None:
    """What was read before is not kept over a newer record."""
    found = book([published(snapshot("a", 1))])
    assert found.newest("a") == snapshot("a", 1)
    found.take([published(snapshot("a", 2))])
    assert found.newest("a") == snapshot("a", 2)
    found.take([load("0000000a", snapshot("a", 7))])
    first = found.newest("a")
    found.take([load("0000000b", replace(snapshot("a", 7), state={"w": 1}))])
    second = found.newest("a")
    assert first is not None
    assert second is not None
    assert (first.loaded, second.loaded) == ("0000000a", "0000000b")
