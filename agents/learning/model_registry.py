"""What is on the topic `models`, by key: the newest snapshots, models loaded, and the champion.

A loaded model stands in for its name's newest snapshot until the learner has published one that
goes on from it::

    snapshot 41   loaded 5e1f   snapshot 42         snapshot 42
                                goes on from ...    goes on from 5e1f
    newest: 41    5e1f          5e1f                42

What counts is not the order but what a snapshot says it goes on from: a snapshot of an earlier
learner that came a moment late changes nothing, and compaction loses nothing.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from agents.models.kinds import DEFAULT
from schemas.control import (
    CHAMPION_KEY,
    LOADED_PREFIX,
    Champion,
    Loaded,
    decode_champion,
    decode_loaded,
    loaded_key,
)
from schemas.snapshot import Snapshot, decode_snapshot


class ModelBook:
    """The newest record of every key; payloads are read when they are asked for.

    Attributes
    ----------
    champion
        Which model scores.
    """

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._loaded: dict[str, Loaded] = {}
        self.champion = Champion(DEFAULT)

    @property
    def names(self) -> list[str]:
        """Every model of which there is anything."""
        names = {_name(key) for key in self._values}
        return sorted(name for name in names if name is not None)

    def take(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> set[str]:
        """Take keys and values in the order of the topic; return the models that have changed."""
        changed: set[str] = set()
        for key, value in records:
            if key is None or value is None:
                continue
            self._values[key] = value
            name = _name(key)
            if name is None:
                self.champion = decode_champion(value)
                changed.add(self.champion.name)
            else:
                changed.add(name)
                self._snapshots.pop(name, None)
                self._loaded.pop(name, None)
        return changed

    def snapshot(self, name: str) -> Snapshot | None:
        """Return the newest snapshot that the model's learner has published."""
        if name not in self._snapshots and (value := self._values.get(name.encode())):
            self._snapshots[name] = decode_snapshot(value)
        return self._snapshots.get(name)

    def loaded(self, name: str) -> Loaded | None:
        """Return what was loaded of the model last, whether its learner has seen it or not."""
        if name not in self._loaded and (value := self._values.get(loaded_key(name))):
            self._loaded[name] = decode_loaded(value)
        return self._loaded.get(name)

    def newest(self, name: str) -> Snapshot | None:
        """Return the model as it is now, where its learner goes on; `None` where it is not yet."""
        snapshot, loaded = self.snapshot(name), self.loaded(name)
        if loaded is None or (snapshot is not None and snapshot.loaded == loaded.id):
            return snapshot
        return as_loaded(loaded, 0 if snapshot is None else snapshot.offset)

    def scoring(self) -> Snapshot | None:
        """Return the snapshot that scores; `None` for the prior."""
        return self.champion.frozen or self.newest(self.champion.name)


def as_loaded(loaded: Loaded, offset: int) -> Snapshot:
    """Return a loaded model as one that learns from the examples from `offset` on."""
    snapshot = loaded.snapshot
    return replace(
        snapshot,
        version=loaded_version(snapshot.version, snapshot.name, loaded.id),
        offset=offset,
        loaded=loaded.id,
        loaded_at=offset,
    )


def loaded_version(version: str, name: str, loaded: str) -> str:
    """Return the version of a model that goes on from a loaded one: no other has it.

    >>> loaded_version("linear-0000001000", "linear", "5e1f0000")
    'linear-5e1f0000-0000001000'
    """
    return f"{name}-{loaded}-{version.rpartition('-')[2]}"


def _name(key: bytes) -> str | None:
    """Return the model that a key is of; `None` for that of the champion."""
    return None if key == CHAMPION_KEY else key.decode().removeprefix(LOADED_PREFIX)
