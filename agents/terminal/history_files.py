"""The files of a history, and which part of it counts: checked before hours go into it."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from agents.settings.sources import SettingsError
from agents.terminal.event_files import ALLOW, LOOKED_AT, Kind, kind_of, survey
from streams.events.files import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from agents.settings.schema import Settings
    from streams.events.sources import Source


def period_of(start: float | None, end: float | None) -> tuple[float, float]:
    """Return from when on and until when charges count, Unix seconds."""
    period = (-inf if start is None else start, inf if end is None else end)
    if period[0] >= period[1]:
        raise click.UsageError("--from: expected a time before --to")
    return period


def label_files(files: tuple[Path, ...]) -> dict[Kind, Path]:
    """Return the files of disputes and outcomes, told by what they hold."""
    found: dict[Kind, Path] = {}
    for file in files:
        kind = _label_kind(file)
        if kind in found:
            raise click.UsageError(f"{file}: holds {kind}, as {found[kind]} does")
        found[kind] = file
    return found


def check_start(source: Source, kind: Kind, settings: Settings) -> None:
    """Fail at once, and not after an hour, on a file of which nothing much will come."""
    found, file = survey(source, kind, settings, LOOKED_AT), source.name
    if not found.events and kind == "charges":  # there may be no disputes
        raise FileError(f"{file}: holds no events. Nothing was scored; {ALLOW} goes on")
    if 2 * found.others > found.events:
        raise FileError(
            f"{file}: expected {kind}, but event {found.first_other} and most others at its start "
            f"are not: the order is CHARGES DISPUTES OUTCOMES; {ALLOW} goes on all the same"
        )
    if objection := found.rejections.objection(file, found.events):
        raise FileError(f"{objection}. Nothing was scored; {ALLOW} goes on")


def with_horizon(settings: Settings, days: float | None) -> Settings:
    """Return settings with a label horizon, if one is given."""
    if days is None:
        return settings
    try:
        return replace(settings, label_horizon_days=days)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def made(directory: Path) -> Path:
    """Return a directory, which is made if it is not there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{directory}: {error.strerror}") from None
    return directory


def write_file(path: Path, content: bytes) -> None:
    """Write a file at once."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None


def _label_kind(file: Path) -> Kind:
    """Return what a file holds; one without an event at its start may be of no disputes."""
    with suppress(FileError):
        if kind_of(file) == "outcomes":
            return "outcomes"
    return "disputes"
