"""Which entities a charge has, and what each of them is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.settings.sources import SettingsError, load_settings
from agents.shared_entities.scattering import Scatter
from agents.stages.tasks import features_of
from streams.events.batch import Batch
from streams.events.rows import hash_of
from streams.features.entities import FEATURES, entity_code
from streams.features.shared import SHARED_FEATURES
from streams.wire.frames import FRAME
from tests.agents.stages.stages import START, Run, charge, decode, dispute


def frames_of(*messages: Any) -> Batch:
    batch = decode(list(messages))
    rows = np.zeros(len(batch.rows), FRAME)
    rows["event"] = batch.rows
    return Batch(rows, batch.cards, batch.merchants, batch.tails)


def test_each_entity_is_told_once_and_the_charge_waits_for_as_many() -> None:
    frames = frames_of(
        charge("c1", START, device="d1", ip="i1"),
        charge("c2", START + 1),
        charge("c3", START + 2, device="d1", email="e1", amount=500),
        dispute("c1", START + 3),
    )
    events, places = Scatter(("device", "ip", "email"))(frames, np.arange(4.0))
    assert frames.rows["parts"].tolist() == [2, 0, 2, 0]
    assert places.tolist() == [0, 0, 2, 2]
    told = {(int(e["entity"]), int(e["key"])) for e in events[:2]}
    assert told == {(entity_code("device"), hash_of("d1")), (entity_code("ip"), hash_of("i1"))}
    assert events["now"].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert events["amount"][2:].tolist() == [5.0, 5.0]
    assert (events["charge"][2:] == frames.rows["event"]["charge"][2]).all()


def test_fields_of_a_producers_own_are_entities_by_their_text() -> None:
    frames = frames_of(
        charge("c1", START, account="a-1"),
        charge("c2", START, account=17),
        charge("c3", START, account=True),
        charge("c4", START, account=None, device="d"),
        charge("c5", START, account=""),
    )
    events, places = Scatter(("account",))(frames, np.zeros(5))
    assert places.tolist() == [0, 1]
    assert events["key"].tolist() == [hash_of("a-1"), hash_of("17")]
    assert frames.rows["parts"].tolist() == [1, 1, 0, 0, 0]


def test_an_entity_of_ones_own_has_columns_behind_all_others() -> None:
    settings = load_settings({}, {"CHARGEWATCH_ENTITIES": "device,account"})
    features = features_of(settings)
    assert features[: len(FEATURES)] == FEATURES
    names = [feature.name for feature in features[len(FEATURES) :]]
    assert names[0] == "account_count_1h"
    assert len(names) == len(SHARED_FEATURES)
    run = Run(entities=("device", "account"))
    for number in range(4):
        run.feed(charge(f"c{number}", START + number, card=f"card_{number}", account="a"))
    columns = [feature.name for feature in features]
    vectors = np.array([np.frombuffer(v, np.float32) for v in run.outputs.vectors])
    assert vectors[:, columns.index("account_count_1h")].tolist() == [1, 2, 3, 4]
    assert vectors[:, columns.index("account_cards_24h")].tolist() == [1, 2, 3, 4]
    assert not vectors[:, columns.index("device_count_1h")].any()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("device,mcc", "expected device, ip, email or fields of your own, got 'mcc'"),
        ("device,device", "expected each once"),
        ("Account", "expected fields of a charge with commas between"),
    ],
)
def test_settings_that_name_none_are_refused(value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"CHARGEWATCH_ENTITIES: {message}"):
        load_settings({}, {"CHARGEWATCH_ENTITIES": value})


def test_more_columns_than_a_vector_may_have_are_refused() -> None:
    named = ",".join(f"field_{number}" for number in range(8))
    settings = load_settings({}, {"CHARGEWATCH_ENTITIES": named})
    with pytest.raises(SettingsError, match="at most 255 columns"):
        features_of(settings)
