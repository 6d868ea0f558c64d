"""Reasons against a plain sort of each row's contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from agents.stages.reasons import _REMEMBERED, LEAST_LOG_ODDS, REASONS_MAX, Reasons
from schemas.charge import Charge
from schemas.method_table import METHODS
from schemas.scored import Reason
from schemas.signals import signals_of
from streams.events.methods import MethodTable
from streams.events.rows import charge_rows
from streams.features.charge import CHARGE_FEATURES, charge_features
from streams.features.entities import FEATURES as PRODUCT_FEATURES
from streams.features.signals import features_with
from streams.features.spec import Feature

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 12
FEATURES = [
    Feature(
        f"f{i}",
        "card",
        "flag" if i % 4 == 3 else "count",
        "none",
        "0",
        'it is {value:.1f} "so"' if i % 4 != 3 else "it is so",
    )
    for i in range(WIDTH)
]


def reasons_of(
    features: list[Feature], vectors: NDArray[np.float32], contributions: NDArray[np.float64]
) -> list[list[dict[str, object]]]:
    reasons = Reasons(features)
    encoded = reasons.encode(vectors, *reasons.pick(vectors, contributions))
    return [orjson.loads(row) for row in encoded]


@pytest.mark.parametrize("seed", range(5))
def test_they_are_the_largest_contributions_strongest_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.where(rng.random((300, WIDTH)) < 0.5, 0.0, rng.normal(5.0, 3.0, (300, WIDTH)))
    vectors = vectors.astype(np.float32)
    # Coarse values, so that ties occur.
    contributions = np.round(rng.normal(0.0, 0.6, (300, WIDTH)), 1)
    result = reasons_of(FEATURES, vectors, contributions)
    assert len(result) == len(vectors)
    for row, reasons in enumerate(result):
        said = [
            column
            for column in range(WIDTH)
            if contributions[row, column] >= LEAST_LOG_ODDS
            and not (FEATURES[column].unit == "flag" and vectors[row, column] == 0.0)
        ]
        said.sort(key=lambda column: (-contributions[row, column], column))
        assert [reason["feature"] for reason in reasons] == [f"f{c}" for c in said[:REASONS_MAX]]
        for reason, column in zip(reasons, said, strict=False):
            value = vectors[row, column]
            assert reason["value"] == pytest.approx(float(value), rel=1e-5)
            assert reason["text"] == FEATURES[column].text.format(value=value)


def test_a_charge_that_nothing_raised_has_no_reasons() -> None:
    vectors = np.ones((2, WIDTH), np.float32)
    assert reasons_of(FEATURES, vectors, np.full((2, WIDTH), -3.0)) == [[], []]
    assert reasons_of(FEATURES, vectors[:0], np.zeros((0, WIDTH))) == []


@pytest.mark.parametrize("value", [0.0, -0.25, 1.0, 7.0, 123456.789, 1e7, 3.4e38, 1e-30])
def test_every_feature_can_be_a_reason_at_any_value(value: float) -> None:
    features = [each for each in PRODUCT_FEATURES if each.transform != "category"]
    width = len(features)
    vectors = np.full((width, width), value, np.float32)
    result = reasons_of(features, vectors, np.eye(width))
    for feature, reasons in zip(features, result, strict=True):
        if feature.unit == "flag" and value == 0.0:
            assert reasons == []
            continue
        (reason,) = reasons
        assert set(reason) == set(Reason.__struct_fields__)
        assert reason["feature"] == feature.name
        assert reason["value"] == pytest.approx(value, rel=1e-5)
        if feature.unit != "s":
            assert reason["text"] == feature.text.format(value=float(np.float32(value)))


@pytest.mark.parametrize(
    ("feature", "seconds", "text"),
    [
        ("card_age", 100.0, "the card was first seen 100 s ago"),
        ("merchant_age", 5400.0, "the merchant was first seen 90 minutes ago"),
        ("device_age", 0.0, "this device was first seen 0 s ago"),
        ("card_since_merchant", 7_776_000.0,
         "90 days since the card was last used at this merchant"),
        ("card_since_previous", 0.25, "250 ms since the card's previous charge"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_told_as_people_say_them(
    feature: str, seconds: float, text: str
) -> None:
    features = [each for each in PRODUCT_FEATURES if each.name == feature]
    ((reason,),) = reasons_of(features, np.array([[seconds]], np.float32), np.ones((1, 1)))
    assert reason == {"feature": feature, "value": seconds, "text": text}


@pytest.mark.parametrize(
    ("charge", "texts"),
    [
        (
            {"mcc": 742, "currency": "jpy", "payment_method": "sepa_debit", "card_country": "FR",
             "merchant_country": "US", "ip_country": "T1"},
            ["the shop's category is 0742", "paid in jpy", "the payment method",
             "card and shop are from FR and US", "card and IP address are from FR and other"],
        ),
        (
            {"mcc": 0},
            ["the shop's category is other", "paid in usd", "the payment method",
             "card and shop are from countries that are not known",
             "card and IP address are from countries that are not known"],
        ),
        (
            {},
            ["the shop's category is not known", "paid in usd", "the payment method",
             "card and shop are from countries that are not known",
             "card and IP address are from countries that are not known"],
        ),
    ],
)  # fmt: skip
def test_categories_are_told_in_words(charge: dict[str, Any], texts: list[str]) -> None:
    fields: dict[str, Any] = {"id": "c", "created": 1.0, "amount": 1, "currency": "usd",
                              "card": "k", "merchant": "m"}  # fmt: skip
    own = np.zeros((1, len(CHARGE_FEATURES)), np.float32)
    rows = charge_rows([Charge(**{**fields, **charge})])
    charge_features(rows, own, MethodTable(METHODS).lacking(rows))
    places = [n for n, each in enumerate(CHARGE_FEATURES) if each.transform == "category"]
    vectors = np.repeat(own[:, places], len(places), axis=0)
    features = [CHARGE_FEATURES[place] for place in places]
    said = reasons_of(features, vectors, np.eye(len(places)))
    assert [reason["text"] for (reason,) in said] == texts


def test_a_category_is_told_as_soon_as_it_is_known() -> None:
    """A duplicate is answered with the category of its original, which it need not have itself."""
    reasons = Reasons(features_with(signals_of({"shop": "category"}))[-1:])
    picked = np.zeros((1, REASONS_MAX), np.uint8), np.ones(1, np.uint8)

    def said(code: float, categories: dict[int, str]) -> str:
        (encoded,) = reasons.encode(np.array([[code]], np.float32), *picked, categories)
        (reason,) = orjson.loads(encoded)
        assert reason["value"] == code
        return str(reason["text"])

    assert said(7.0, {}) == "shop: one of those before"
    assert said(7.0, {7: "toys"}) == "shop: toys"
    assert said(7.0, {}) == "shop: toys"
    assert said(0.0, {}) == "shop is missing"


@pytest.mark.parametrize("zeros", [[0.0, -0.0], [-0.0, 0.0]])
def test_a_zero_is_written_the_same_whichever_came_before(zeros: list[float]) -> None:
    vectors = np.zeros((2, WIDTH), np.float32)
    vectors[:, 0] = zeros
    contributions = np.zeros((2, WIDTH))
    contributions[:, 0] = 1.0
    reasons = Reasons(FEATURES)
    first, second = reasons.encode(vectors, *reasons.pick(vectors, contributions))
    assert (
        first == second == orjson.dumps([{"feature": "f0", "value": 0, "text": 'it is 0.0 "so"'}])
    )


def test_what_is_remembered_and_forgotten_changes_no_reason() -> None:
    """More values than are remembered, each twice, against reasons that remember nothing yet."""
    reasons, width = Reasons(FEATURES), len(FEATURES)
    rng, count = np.random.default_rng(5), np.ones(500, np.uint8)
    for seed in range(60):
        columns = rng.integers(0, width, (500, 5)).astype(np.uint8)
        vectors = rng.normal(0.0, 1.0 + seed, (500, width)).astype(np.float32)
        fresh = Reasons(FEATURES).encode(vectors, columns, count)
        assert reasons.encode(vectors, columns, count) == fresh
        assert reasons.encode(vectors, columns, count) == fresh
    assert len(reasons._known) <= _REMEMBERED + 500
