"""The mappings that are ready: of public data sets, and of exports of payment providers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.events.files import FileError
from streams.mapping.mistakes import MappingError, meant
from streams.mapping.reading import read_mapping

if TYPE_CHECKING:
    from streams.mapping.mapping import Mapping

_FOLDER: Final = Path(__file__).parent / "ready"
_ENDING: Final = ".toml"


def ready_names() -> list[str]:
    """Return the names of the ready mappings.

    >>> ready_names()[:3]
    ['adyen', 'braintree', 'european_cards']
    """
    return sorted(path.stem for path in _FOLDER.glob(f"*{_ENDING}"))


def find_mapping(name: str) -> Mapping:
    """Return a ready mapping by its name, or that of a file.

    Parameters
    ----------
    name
        What ends in `.toml`, or has a folder, is a file.

    Raises
    ------
    MappingError
        When there is none, or it is wrong.
    FileError
        When the file cannot be read.
    """
    path = Path(name)
    if path.suffix.lower() != _ENDING and path.name == name:
        if name not in ready_names():
            raise MappingError(
                f"{name}: there is no such mapping; {meant(name, ready_names())} A file of yours "
                "ends in .toml"
            )
        path = _FOLDER / f"{name}{_ENDING}"
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise MappingError(f"{path}: is no UTF-8 text ({error.reason})") from None
    return read_mapping(text, name)
