"""Signals as columns, against each charge's payload read by the standard library."""

from __future__ import annotations

import json
import math
from random import Random

import numpy as np
import pytest
from xxhash import xxh3_64_intdigest

from schemas.signals import SignalError, signals_of
from streams.events.rows import CATEGORY_CODES, category_code
from streams.features.entities import FEATURES
from streams.features.signals import features_with, read_signals

SEED = 5
SIGNALS = signals_of({"ip_risk": "number", "shop": "category", "über 9000": "number"})
NUMBERS: list[object] = [0, -1.5, 7e20, "12", " 3.5 ", True, 10**30]
NO_NUMBERS: list[object] = [None, "", "much", [1], {"a": 1}, 1e39, -4e38]
CATEGORIES: dict[object, str] = {
    "toys": "toys",
    5: "5",
    7.0: "7",
    "5": "5",
    0.25: "0.25",
    "Ünï": "Ünï",
}
NO_CATEGORIES: list[object] = [None, "", [], {"a": 1}, "x" * 129]


def test_columns_are_the_values_of_each_charge() -> None:
    rng, heads, wanted = Random(SEED), list[bytes](), list[tuple[float, str, float]]()
    for number in range(500):
        row: dict[str, object] = {"charge": f"c{number}", "note": "x"}
        ip_risk, shop, over = math.nan, "", math.nan
        if rng.random() < 0.8:
            row["ip_risk"] = rng.choice([*NUMBERS, *NO_NUMBERS])
            if row["ip_risk"] in NUMBERS:
                ip_risk = float(row["ip_risk"])  # type: ignore[arg-type]
        if rng.random() < 0.8:
            chosen = rng.choice([*CATEGORIES, *NO_CATEGORIES])
            row["shop"] = chosen
            shop = "" if chosen in NO_CATEGORIES else CATEGORIES[chosen]
        if rng.random() < 0.5:
            over = row["über 9000"] = rng.random()
        heads.append(json.dumps(row).encode().removesuffix(b"}"))
        wanted.append((ip_risk, shop, over))
    columns, categories = read_signals(SIGNALS, heads)
    assert columns.dtype == np.float32, f"seed {SEED}"
    np.testing.assert_array_equal(columns[:, 0], np.array([row[0] for row in wanted], np.float32))
    np.testing.assert_array_equal(columns[:, 2], np.array([row[2] for row in wanted], np.float32))
    told = [categories.get(code, "") for code in columns[:, 1].astype(int).tolist()]
    assert told == [row[1] for row in wanted]
    assert (columns[:, 1] == 0).tolist() == [not row[1] for row in wanted]


def test_codes_are_hashes_that_a_float_holds() -> None:
    texts = [f"shop_{n}" for n in range(20_000)]
    codes = [category_code(text) for text in texts]
    assert codes == [xxh3_64_intdigest(t.encode()) % (CATEGORY_CODES - 1) + 1 for t in texts]
    assert np.array(codes, np.float32).astype(int).tolist() == codes
    assert len(set(codes)) > 19_950
    assert category_code("") == 0


def test_features_come_last_by_their_names() -> None:
    features = features_with(SIGNALS)
    assert features[: len(FEATURES)] == FEATURES
    risk, shop, _ = features[len(FEATURES) :]
    assert (risk.name, risk.transform, risk.text) == ("ip_risk", "adaptive", "ip_risk: {value:g}")
    assert math.isnan(risk.default)
    assert (shop.name, shop.transform, shop.default) == ("shop", "category", 0.0)


def test_the_name_of_a_feature_is_refused() -> None:
    with pytest.raises(SignalError, match="card_count_1h: is the name of a feature; rename"):
        features_with(signals_of({"card_count_1h": "number"}))


def test_no_signals_read_nothing() -> None:
    columns, categories = read_signals((), [b"no JSON at all"] * 3)
    assert columns.shape == (3, 0)
    assert categories == {}
