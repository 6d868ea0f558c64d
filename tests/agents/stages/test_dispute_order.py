"""Disputes in order with the charges of their partition: found, and never early."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from schemas.input_rules import InputRules
from streams.events.batch import Batch
from streams.events.decoding import decode_charges, decode_disputes
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.labels import dispute_order
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge, dispute
from tests.agents.stages.test_disputes import RULES, feature, labels


def test_a_dispute_finds_its_charge_whatever_merchant_it_names() -> None:
    """As of a platform, which disputes come to under its own name: it counts at the charge's."""
    run = Run(**RULES)
    run.feed(charge("a", START, merchant="seller"), charge("b", START, merchant="platform"))
    run.feed(dispute("a", START + HOUR, merchant="platform"))
    run.feed(charge("c", START + 2 * HOUR, merchant="seller"))
    run.feed(charge("d", START + 2 * HOUR, merchant="platform"))
    assert labels(run) == [(0.0, 1)]
    assert run.outputs.learned()["vector"].tobytes() == run.outputs.vectors[0]
    shares = [feature(run, row, "merchant_fraud_share_last_1") for row in (2, 3)]
    assert shares[0] > 0.5
    assert shares[1] == 0.0


def test_of_two_charges_of_an_id_a_dispute_means_the_latest() -> None:
    for cut in (1, 2):
        run = Run(**RULES)
        twice = [charge("a", START), charge("a", START + 3 * DAY, merchant="shop_2")]
        run.feed(*twice[:cut])
        run.feed(*twice[cut:], dispute("a", START + 4 * DAY))
        run.pause()
        assert labels(run) == [(3.0, 1)]


@pytest.mark.parametrize("cut", [1, 2])
def test_of_two_charges_of_an_id_a_dispute_means_the_newer_if_the_older_comes_much_later(
    cut: int,
) -> None:
    """In one batch with both as well as when both are in the index."""
    run = Run(**RULES)
    twice = [charge("a", START + 20 * DAY), charge("a", START, merchant="shop_2")]
    run.feed(*twice[:cut])
    run.feed(*twice[cut:], dispute("a", START + 21 * DAY))
    run.pause()
    assert labels(run) == [(20.0, 1)]


def days_of_charges(seed: int) -> tuple[list[Message], list[Message]]:
    """Make charges of 60 days and their disputes, in the order of their times."""
    random = Random(seed)
    charges, disputes = list[tuple[float, Message]](), list[tuple[float, Message]]()
    for number in range(600):
        created = START + random.uniform(0, 60 * DAY)
        card, shop = f"card_{random.randrange(20)}", f"shop_{random.randrange(6)}"
        fields = {"card": card, "merchant": shop, "amount": random.randrange(100, 90_000)}
        charges.append((created, charge(f"c{number}", created, **fields)))
        if random.random() < 0.2:
            disputed = created + random.choice([1.0, HOUR, random.uniform(0, 25 * DAY)])
            reason = random.choice(["fraudulent", "fraudulent", "general"])
            about = dispute(f"c{number}", disputed, card=card, merchant=shop, reason=reason)
            disputes.append((disputed, about))
    in_time = [sorted(events, key=lambda each: each[0]) for events in (charges, disputes)]
    return [event for _, event in in_time[0]], [event for _, event in in_time[1]]


def created_in(sent: Message) -> float:
    return float(orjson.loads(sent.value)["created"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ahead", [1, 20, 1000])
def test_disputes_that_are_read_before_their_charges_count_as_in_order(
    seed: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far ahead, through commits and restarts: every vector and label is the same."""
    monkeypatch.setattr(dispute_order, "_FEW", seed * 50)  # few wait for it, or many
    charges, disputes = days_of_charges(seed)
    in_order = Run(**RULES)
    in_order.feed(*sorted([*charges, *disputes], key=created_in))
    in_order.pause()
    assert len(in_order.outputs.learned()) > 450
    run, random, sent = Run(**RULES), Random(seed), 0
    for start in range(0, len(charges), 40):
        part = charges[start : start + 40]
        until = created_in(charges[min(start + 40 * ahead, len(charges)) - 1])
        while sent < len(disputes) and created_in(disputes[sent]) <= until:
            run.feed(disputes[sent])
            sent += 1
        if random.random() < 0.3:
            run.commit()
            random.choice([run.restart, run.restore])()
        run.feed(*part)
    run.feed(*disputes[sent:])
    run.pause()
    assert run.outputs.rejected == in_order.outputs.rejected == []
    assert run.outputs.vectors == in_order.outputs.vectors
    assert run.outputs.examples == in_order.outputs.examples


def test_the_dispute_of_a_hashed_card_waits_and_finds_its_charge() -> None:
    """What waits is masked by then, and no state holds the number."""
    number, rules = "4242424242424242", InputRules(card_hash_key=b"k" * 16)
    run = Run(**RULES)
    for sent, decoder in (
        (dispute("a", START + HOUR, card=number), decode_disputes),
        (charge("a", START, card=number), decode_charges),
    ):
        received = Input(sent.key, sent.value, Origin(sent.topic, 0, 0))
        decoded = decoder([received], 4e9, rules)
        columns = (decoded.batch.cards, decoded.batch.merchants, decoded.batch.tails)
        run.process(Batch(decoded.batch.rows, *columns))
        assert not any(number.encode() in key + value for key, value in run.state().items())
        run.restore()
    run.pause()
    assert labels(run) == [(0.0, 1)]
    assert feature(run, 0, "card_charges_before") == 0.0
