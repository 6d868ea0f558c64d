"""What the topics of a running installation still hold, as files to play again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.events.files import FileError, event_writer
from streams.kafka.partition_reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agents.terminal.event_files import Kind
    from streams.kafka.clients import Clients
    from streams.kafka.topics import Topics


def write_history(
    clients: Clients, topics: Topics, directory: Path, show: Callable[[str, int, int | None], None]
) -> dict[Kind, Path]:
    """Write charges, disputes and outcomes to files, as they came.

    Parameters
    ----------
    clients, topics
        Of the installation.
    directory
        Where the files are made.
    show
        Is told what is read, and how many events that were by now.

    Raises
    ------
    FileError
        When there are no charges, or a file cannot be written.
    """
    names: dict[Kind, str] = {
        "charges": topics.charges,
        "disputes": topics.disputes,
        "outcomes": topics.outcomes,
    }
    files: dict[Kind, Path] = {}
    for kind, topic in names.items():
        file = directory / f"{kind}.jsonl.zst"
        if _write(clients, topic, file, show):
            files[kind] = file
    if "charges" not in files:
        raise FileError(
            f"topic {topics.charges}: holds no charges to try rules on; `chargewatch publish` "
            "brings some, or wait until they come"
        )
    return files


def _write(
    clients: Clients, topic: str, file: Path, show: Callable[[str, int, int | None], None]
) -> int:
    """Write what a topic holds, an event a line; return how many there are."""
    written = 0
    with event_writer(file) as writer:
        for partition in range(clients.partitions(topic)):
            reader = PartitionReader(clients, topic, partition)
            for messages in reader.read_to_end():
                values = [message.value() or b"" for message in messages]
                # A line break in JSON is white space: in a text it would be written otherwise.
                writer.write([value.replace(b"\n", b" ").replace(b"\r", b" ") for value in values])
                written += len(values)
                show(f"reading {topic}", written, None)
            reader.close()
    return written
