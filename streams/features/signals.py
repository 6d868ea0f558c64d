"""Columns of a producer's own: signals and further entities, behind those of all features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson

from schemas.signals import SignalError, category_in, number_in
from streams.events.rows import category_code
from streams.features.entities import FEATURE_NAMES, FEATURES, SHARED_WORDS, shared_kinds
from streams.features.shared import shared_features
from streams.features.spec import Feature
from streams.layouts.layout import NO_PLACE

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


def features_with(signals: Sequence[Signal], entities: Sequence[str] = ()) -> tuple[Feature, ...]:
    """Return all columns of the vector where charges have signals and shared entities.

    Raises
    ------
    SignalError
        When a feature has the name of one, or there are too many.
    """
    of_entities = [
        feature
        for kind in shared_kinds(entities)
        if kind not in SHARED_WORDS
        for feature in shared_features(kind, kind.replace("_", " "))
    ]
    names = {*FEATURE_NAMES, *(feature.name for feature in of_entities)}
    for signal in signals:
        if signal.name in names:
            raise SignalError(f"{signal.name}: is the name of a feature; rename the field")
    columns = (*FEATURES, *of_entities, *map(_feature, signals))
    if len(columns) > NO_PLACE:
        raise SignalError(
            f"a vector has at most {NO_PLACE} columns: {len(FEATURES)} of its own, "
            f"{len(of_entities)} of further entities and {len(signals)} signals are too many"
        )
    return columns


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
