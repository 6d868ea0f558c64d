"""Signals of a producer's own as columns of the vector, behind those of all features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson

from schemas.signals import SignalError, category_in, number_in
from streams.events.rows import category_code
from streams.features.entities import FEATURE_NAMES, FEATURES
from streams.features.spec import Feature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.signals import Signal


class SignalValues(NamedTuple):
    """The signals of N charges.

    Attributes
    ----------
    columns
        f4[N, signals]: of a number its value, NaN where it is missing; of a category its code, 0
        where it is missing.
    categories
        What the codes among them stand for.
    """

    columns: NDArray[np.float32]
    categories: dict[int, str]


def features_with(signals: Sequence[Signal]) -> tuple[Feature, ...]:
    """Return all columns of the vector where charges have signals.

    Raises
    ------
    SignalError
        When a feature has the name of one.
    """
    for signal in signals:
        if signal.name in FEATURE_NAMES:
            raise SignalError(f"{signal.name}: is the name of a feature; rename the field")
    return (*FEATURES, *map(_feature, signals))


def _feature(signal: Signal) -> Feature:
    if signal.kind == "category":
        text = signal.text or f"{signal.name}: {{value}}"
        return Feature(signal.name, "signal", "category", "category", "0", text)
    text = signal.text or f"{signal.name}: {{value:g}}"
    return Feature(signal.name, "signal", "number", "adaptive", "NaN", text, math.nan)


def read_signals(signals: Sequence[Signal], heads: Sequence[bytes]) -> SignalValues:
    """Read signals out of the fields that are carried along.

    Parameters
    ----------
    signals
        Which.
    heads
        Of N charges, what `schemas.scored.begin_scored` returned.

    Examples
    --------
    >>> from schemas.signals import signals_of
    >>> head = b'{"charge":"c1","shop":"toys","ip_risk":"0.5"'
    >>> of_both = signals_of({"ip_risk": "number", "shop": "category"})
    >>> columns, categories = read_signals(of_both, [head, b'{"charge":"c2"'])
    >>> columns[:, 0], categories[int(columns[0, 1])], columns[1, 1] == 0
    (array([0.5, nan], dtype=float32), 'toys', np.True_)
    """
    columns = np.empty((len(heads), len(signals)), np.float32)
    if not signals:
        return SignalValues(columns, {})
    fields = [orjson.loads(head + b"}") for head in heads]
    categories: dict[int, str] = {}
    for place, signal in enumerate(signals):
        contents = [of_charge.get(signal.name) for of_charge in fields]
        if signal.kind == "number":
            columns[:, place] = [number_in(content) for content in contents]
        else:
            texts = [category_in(content) for content in contents]
            codes = [category_code(text) for text in texts]
            columns[:, place] = codes
            categories.update(zip(codes, texts, strict=True))
    categories.pop(0, None)
    return SignalValues(columns, categories)
