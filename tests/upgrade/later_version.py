"""A later version: with a feature more, another window, another field of cards, one of frames."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.upgrade.checkout import PROGRAM, ROOT

if TYPE_CHECKING:
    from pathlib import Path

NEW_FEATURE: Final = "minute"
"""Minutes past the hour at which a charge was made; among the first columns of the vector."""

NEW_DEFAULT: Final = 29.5
"""What it is in a vector that was kept without it."""

DAY_TILE_S, LATER_DAY_TILE_S = 10_800.0, 7200.0
"""Tiles of the window of 24 hours, of this version and of the later one."""


class Edit(NamedTuple):
    """Text of a source that is replaced by another."""

    file: str
    old: str
    new: str


EDITS: Final = (
    Edit(
        "streams/features/charge.py",
        '    Feature("hour_cos", ',
        f'    Feature("{NEW_FEATURE}", "charge", "minutes", "none", "never",\n'
        f'            "{{value:.0f}} minutes past the hour", {NEW_DEFAULT}),\n'
        '    Feature("hour_cos", ',
    ),
    Edit(
        "streams/features/charge.py",
        'HOUR_COS = column(CHARGE_FEATURES, "hour_cos")\n',
        'HOUR_COS = column(CHARGE_FEATURES, "hour_cos")\n'
        f'MINUTE = column(CHARGE_FEATURES, "{NEW_FEATURE}")\n',
    ),
    Edit(
        "streams/features/charge.py",
        "    row[HOUR_COS] = cos(angle)\n",
        "    row[HOUR_COS] = cos(angle)\n    row[MINUTE] = event.created % 3600.0 / 60.0\n",
    ),
    Edit(
        "streams/features/windows.py",
        'Window("24h", "24 hours", 8, 10800.0)',
        'Window("24h", "24 hours", 12, 7200.0)',
    ),
    Edit(
        "streams/features/card_record.py",
        '("failed_checks_24h", "u2", (SLOTS[DAY],))',
        '("failures_24h", "u2", (SLOTS[DAY],))',
    ),
    Edit(
        "streams/features/card_record.py",
        '"failed_checks_24h": Ring((tiles_in(DAY),), "clock_s")',
        '"failures_24h": Ring((tiles_in(DAY),), "clock_s")',
    ),
    Edit("streams/features/card.py", "record.failed_checks_24h, DAY", "record.failures_24h, DAY"),
    Edit(
        "streams/wire/frames.py",
        '        ("event", EVENT),\n',
        '        ("event", EVENT),\n        ("new_of_frames", "u2"),\n',
    ),
)


def later_version(directory: Path) -> Path:
    """Write the program of the later version into a directory.

    Raises
    ------
    AssertionError
        When a text that is to be replaced is not there, just once.
    """
    for name in PROGRAM:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, directory / name, ignore=ignored)
    for file, old, new in EDITS:
        path = directory / file
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{file} does not have just once: {old!r}"
        path.write_text(source.replace(old, new), encoding="utf-8")
    return directory
