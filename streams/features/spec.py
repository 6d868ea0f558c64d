"""What a feature is: a named column of the vector that models score and learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Scope = Literal["charge", "card", "merchant", "entity", "signal"]
Transform = Literal["none", "log1p", "signed_log", "category", "adaptive"]

SECONDS = "{value:.0f} s"
"""In a text, a length of time: people are told it as `streams.durations.in_words` says it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature vector.

    Attributes
    ----------
    name
        Unique and stable: what a snapshot lists and a reason names.
    scope
        Whose behaviour it describes.
    unit
        Unit of the stored value; "flag" is 0 or 1.
    transform
        What a model that wants compact values applies first: ``log1p(x)``, or for values of both
        signs ``signed_log``, ``sign(x) * log1p(|x|)``. A ``category``, whose unit is "category",
        is the code of a value without order or mean: a whole number below
        `streams.events.rows.CATEGORY_CODES`, 0 if missing. ``adaptive`` is a number of unknown
        scale, which a model has to find; NaN if missing.
    missing
        What the value is when there is nothing to compute it from.
    text
        Sentence for a merchant, a `str.format` template of ``value``.
    default
        The value in a vector that a version without the feature kept: what `missing` says, as a
        number. A model that learned without it knows nothing of the feature, whatever its value.
    in_words
        What `text` has for the code of a category, but for 0; none where the code does not tell.
    """

    name: str
    scope: Scope
    unit: str
    transform: Transform
    missing: str
    text: str
    default: float = 0.0
    in_words: Callable[[int], str] | None = None


def column(features: Sequence[Feature], name: str) -> int:
    """Return the place of a feature in a table, by which a kernel writes it.

    A number, as kernels know no strings. Where it is a constant of a module, a name that the table
    has not ends the import.

    Raises
    ------
    ValueError
        If the table has no feature of this name, or several.

    Examples
    --------
    >>> table = [
    ...     Feature(name, "charge", "flag", "none", "0", name) for name in ("paid", "late", "lost")
    ... ]
    >>> column(table, "late")
    1
    """
    places = [place for place, feature in enumerate(features) if feature.name == name]
    if len(places) != 1:
        raise ValueError(f"{len(places)} features are named {name}")
    return places[0]


def first_column(features: Sequence[Feature], names: Sequence[str]) -> int:
    """Return the place of the first of some features that a kernel writes one after the other.

    Raises
    ------
    ValueError
        If they do not follow each other in the table as they are named.

    Examples
    --------
    >>> table = [
    ...     Feature(name, "charge", "flag", "none", "0", name) for name in ("paid", "late", "lost")
    ... ]
    >>> first_column(table, ["late", "lost"])
    1
    >>> first_column(table, ["lost", "late"])
    Traceback (most recent call last):
        ...
    ValueError: the features lost, late do not follow each other
    """
    first = column(features, names[0])
    if [feature.name for feature in features[first : first + len(names)]] != list(names):
        raise ValueError(f"the features {', '.join(names)} do not follow each other")
    return first
