"""What a feature is: a named column of the vector that models score and learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["charge", "card", "merchant"]
Transform = Literal["none", "log1p", "signed_log"]


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
        signs ``signed_log``, ``sign(x) * log1p(|x|)``.
    missing
        What the value is when there is nothing to compute it from.
    text
        Sentence for a merchant, a `str.format` template of ``value``.
    default
        The value in a vector that a version without the feature kept: what `missing` says, as a
        number. A model that learned without it takes this as the usual value.
    """

    name: str
    scope: Scope
    unit: str
    transform: Transform
    missing: str
    text: str
    default: float = 0.0
