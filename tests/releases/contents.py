"""What a release leaves behind of a small installation, as files: what a later one has to read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(__file__).parent
_LEVEL = 19

Lines = list[Any]


class Contents(NamedTuple):
    """One release; bytes are in Base64.

    Attributes
    ----------
    layout
        The fields of every record with their types and places, the windows, and the names of the
        features, by which a later release reads the rest.
    settings
        Of the installation, those that are not the default.
    changelog
        Keys and values of the task's changelog, in their order.
    frames
        Messages on their way to the merchant stage, which the changelog does not have yet.
    examples
        Messages on their way to the learners.
    models
        The newest snapshot of each kind of model.
    inputs
        What comes next: topics, keys and values.
    answers
        What that release made of the frames and of what comes next: of each charge the scored event
        without its time, the vector, and the score of each model.
    """

    layout: Lines
    settings: Lines
    changelog: Lines
    frames: Lines
    examples: Lines
    models: Lines
    inputs: Lines
    answers: Lines

    def write(self, name: str) -> None:
        """Write the files of a release."""
        folder = FOLDER / name
        folder.mkdir()
        for part, lines in self._asdict().items():
            text = b"".join(orjson.dumps(line) + b"\n" for line in lines)
            (folder / f"{part}.jsonl.zst").write_bytes(zstandard.compress(text, _LEVEL))

    @classmethod
    def read(cls, name: str) -> Self:
        """Read them."""
        return cls(*(list(_lines(FOLDER / name / f"{part}.jsonl.zst")) for part in cls._fields))


def releases() -> list[str]:
    """Return the names of all releases that left something behind."""
    return sorted(path.parent.name for path in FOLDER.glob("*/layout.jsonl.zst"))


def text_of(values: Iterable[bytes | None]) -> list[str | None]:
    """Return bytes as JSON can have them."""
    return [None if value is None else b64encode(value).decode() for value in values]


def bytes_of(texts: Iterable[str | None]) -> list[bytes | None]:
    """Return the bytes that `text_of` was given."""
    return [None if text is None else b64decode(text) for text in texts]


def _lines(path: Path) -> Iterator[Any]:
    for line in zstandard.decompress(path.read_bytes()).splitlines():
        yield orjson.loads(line)
