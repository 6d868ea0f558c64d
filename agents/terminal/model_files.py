"""Models in files: one snapshot each, as it is on the topic `models`."""

from pathlib import Path

from schemas.rejected import InvalidEvent
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.events.files import FileError


def read_model(path: Path) -> Snapshot:
    """Return the model of a file.

    Raises
    ------
    FileError
        When the file cannot be read, or holds no model.
    """
    try:
        return decode_snapshot(path.read_bytes())
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    except InvalidEvent as error:
        raise FileError(
            f"{path}: holds no model ({error}); `chargewatch backtest --save-model` and "
            "`chargewatch models save` write one"
        ) from None


def write_model(path: Path, snapshot: Snapshot) -> None:
    """Write a model to a file.

    Raises
    ------
    FileError
        When it cannot be written.
    """
    try:
        path.write_bytes(encode_snapshot(snapshot))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
