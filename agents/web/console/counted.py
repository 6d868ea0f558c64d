"""What the worker has counted of a card, a merchant or another, for people to read.

Features that are counted over several windows are rows of a table with a column for each window;
others are sentences. Those that compare the charge itself with the others are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.durations import in_words
from streams.features.spec import SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.features.spec import Feature

WINDOWS: Final = {
    "10m": "10 minutes", "1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days",
    "90d": "90 days",
}  # fmt: skip

_OF_THE_CHARGE: Final = {"flag", "ln", "ln squared", "standard deviations"}
"""Units of features that say how the charge itself compares with the others."""

_BEGINNING: Final = re.compile(r"(\{value[^}]*\}) (.*)")
_WINDOW: Final = re.compile(r" in (the last .*|an hour|a day|(the )?\d+ days.*)$")


class Counted(NamedTuple):
    """What was counted.

    Attributes
    ----------
    windows
        Heads of the columns.
    rows
        What each row is of, and its cells; empty where there is no such window.
    sentences
        What is counted over no window, or in another way.
    """

    windows: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    sentences: Sequence[str]


def counted(features: Sequence[Feature], kind: str, vector: Mapping[str, float]) -> Counted:
    """Return what there is of a kind in a vector.

    Parameters
    ----------
    features
        All of the vector.
    kind
        `card`, `merchant`, or what cards share, such as `device`.
    vector
        Values by the names of features.

    Examples
    --------
    >>> from streams.features.entities import FEATURES
    >>> vector = {feature.name: 3.0 for feature in FEATURES} | {"card_age": 200_000.0}
    >>> of_card = counted(FEATURES, "card", vector)
    >>> of_card.windows[:3], of_card.rows[0]
    (('10 minutes', '1 hour', '24 hours'), ('charges on this card', ('3', '3', '3', '3', '3')))
    >>> of_card.sentences[2]
    'the card was first seen 2.3 days ago'
    """
    cells: dict[str, dict[str, str]] = {}
    sentences = []
    for feature in features:
        if not _is_of(feature, kind) or feature.unit in _OF_THE_CHARGE:
            continue
        value, window = vector[feature.name], feature.name.rpartition("_")[2]
        found = _BEGINNING.match(feature.text)
        if found and window in WINDOWS:
            what = _WINDOW.sub("", found[2])
            cells.setdefault(what, {})[window] = found[1].format(value=value)
        else:
            text = feature.text.replace(SECONDS, in_words(value))
            sentences.append(text.format(value=value))
    windows = [window for window in WINDOWS if any(window in each for each in cells.values())]
    rows = [
        (what, tuple(of_it.get(window, "") for window in windows)) for what, of_it in cells.items()
    ]
    return Counted(tuple(WINDOWS[window] for window in windows), rows, sentences)


def _is_of(feature: Feature, kind: str) -> bool:
    scope = kind if kind in {"card", "merchant"} else "entity"
    return feature.scope == scope and feature.name.startswith(f"{kind}_")
