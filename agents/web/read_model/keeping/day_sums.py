"""Sums by day as they change with the charges. All are integers, so that they stay exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agents.web.read_model.tables import ALL_MERCHANTS, daily
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.web.read_model.keeping.batch import Row
    from agents.web.read_model.standing import Standing

KEY_COLUMNS: Final = tuple(column.name for column in daily.primary_key)
SUM_COLUMNS: Final = tuple(column.name for column in daily.c if column.name not in KEY_COLUMNS)


class DaySumChanges:
    """What a batch changes of the sums."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, int, str], list[int]] = {}

    def add(self, charge: Mapping[str, Any], standing: Standing, sign: int = 1) -> None:
        """Count a charge as it stands, or with -1 as it stands no more."""
        day, merchant = int(charge["created"] // DAY_S), charge["merchant"]
        counts = counted(charge["usd_cents"], charge["score"], standing)
        for whose in (ALL_MERCHANTS, merchant):
            key = whose, day, standing.given
            sums = self._changes.get(key)
            if sums is None:
                sums = self._changes[key] = [0] * len(SUM_COLUMNS)
            for i, count in enumerate(counts):
                sums[i] += sign * count

    def rows(self) -> list[Row]:
        """Return what is to be added to the rows of the table."""
        return [
            dict(zip(KEY_COLUMNS + SUM_COLUMNS, (*key, *sums), strict=True))
            for key, sums in self._changes.items()
        ]


def counted(usd_cents: int, score: float, standing: Standing) -> tuple[int, ...]:
    """Return what one charge adds to the sums, in the order of `SUM_COLUMNS`.

    They are the first four where nothing is said of it, as of most: it adds nothing to the others.
    """
    always = 1, usd_cents, round(1e6 * score), round(usd_cents * score)
    if not standing.is_disputed and not standing.verdict:
        return always
    disputed, found = standing.is_disputed, standing.is_found
    return (
        *always,
        int(disputed),
        usd_cents if disputed else 0,
        int(found),
        usd_cents if found else 0,
        int(standing.verdict == "genuine"),
    )
