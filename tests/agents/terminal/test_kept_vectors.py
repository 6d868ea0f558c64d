"""Vectors looked up in the changelog: found by their charge, and never looked for without end."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from agents.settings.schema import Settings
from agents.stages.tasks import features_of
from agents.terminal import kept_vectors
from agents.terminal.kept_vectors import KeptVectors, ScoredAt
from schemas.charge import Charge
from streams.events.rows import charge_rows
from streams.kafka.topics import Topics
from streams.labels.pending import kept_key, pending_layout
from streams.state.tables import CHARGES, METHOD_PENDING, PENDING
from tests.agents.web.read_model.made import MadeMessage

if TYPE_CHECKING:
    from collections.abc import Callable

AT = 1_790_000_000.0
FEATURES = features_of(Settings())
VECTOR = np.arange(len(FEATURES), dtype=np.float32)


def key_of(charge: str, card: str = "card") -> bytes:
    [row] = charge_rows([Charge(charge, AT - 5.0, 1999, "eur", card, "shop")])
    return kept_key(row)


def kept(key: bytes, vector: Any = VECTOR, after_s: float = 0.0) -> MadeMessage:
    record = pending_layout(FEATURES).new(1)
    record["vector"] = vector
    return MadeMessage("changelog", 0, 0, key, record.tobytes(), written_at=AT + after_s)


class Changelog:
    """A partition that gives some messages at a time, and then has an end or none."""

    def __init__(self, *batches: list[MadeMessage], has_end: bool = True) -> None:
        self._batches = list(batches)
        self._has_end = has_end
        self.looks = 0
        self.asked_ms = 0
        self.is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._has_end and not self._batches

    def read(self) -> list[MadeMessage]:
        self.looks += 1
        return self._batches.pop(0) if self._batches else []

    def close(self) -> None:
        self.is_closed = True

    def list_offsets(self, asked: Any, **_: float) -> Any:
        [(place, spec)] = asked.items()
        self.asked_ms = spec._value
        answer = Future[Any]()
        answer.set_result(SimpleNamespace(offset=7 if self._batches or not self._has_end else -1))
        return {place: answer}


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Callable[[Changelog], Any]:
    def look(changelog: Changelog) -> Any:
        monkeypatch.setattr(kept_vectors, "PartitionReader", lambda *_: changelog)
        seconds = count()
        clients = SimpleNamespace(partitions=lambda _: 4, clock=lambda: float(next(seconds)))
        vectors = KeptVectors(cast("Any", clients), cast("Any", changelog), Topics(), Settings())
        return vectors.find(ScoredAt("ch", "card", "shop", AT - 5.0, AT))

    return look


@pytest.mark.parametrize("prefix", [PENDING, METHOD_PENDING + b"\0\0\0\5"])
def test_what_was_kept_first_of_a_charge(find: Callable[[Changelog], Any], prefix: bytes) -> None:
    others = [
        kept(CHARGES + key_of("ch")),
        kept(PENDING + key_of("ch", "other card")),
        kept(PENDING + key_of("another")),
    ]
    twice = [kept(prefix + key_of("ch")), kept(prefix + key_of("ch"), 2.0 * VECTOR)]
    changelog = Changelog(others, twice)
    found = find(changelog)
    assert found == {feature.name: float(n) for n, feature in enumerate(FEATURES)}
    assert changelog.asked_ms == 1000 * (AT - 1.0)
    assert changelog.is_closed


def test_it_is_looked_for_only_for_a_moment(find: Callable[[Changelog], Any]) -> None:
    late = kept(PENDING + key_of("ch"), after_s=40.0)
    others = [kept(PENDING + key_of(f"other {number}"), after_s=31.0) for number in range(3)]
    assert find(Changelog(others, [late])) is None, "half a minute later it is given up"
    assert find(Changelog(others[:1])) is None, "the changelog ends"
    assert find(Changelog()) is None, "nothing was written since"
    silent = Changelog(has_end=False)
    assert find(silent) is None, "the brokers tell nothing"
    assert 0 < silent.looks < 20
    assert silent.is_closed
    tombstone = MadeMessage("changelog", 0, 0, PENDING + key_of("ch"), None, written_at=AT)
    assert find(Changelog([tombstone])) is None
