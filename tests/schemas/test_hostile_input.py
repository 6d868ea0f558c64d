"""Hostile input: whatever the bytes, an event or a rejected copy that shows no card number.

The long form: FUZZ_INPUTS=1000000 pytest tests/schemas/test_hostile_input.py
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, get_args

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.aside import Aside
from schemas.rejected import InvalidEvent, RejectReason
from schemas.validation import (
    NESTING_MAX,
    PAYLOAD_BYTES_MAX,
    parse_charge,
    parse_dispute,
    parse_outcome,
)
from streams.events.decoding import (
    Decoded,
    card_in,
    decode_charges,
    decode_disputes,
    decode_outcomes,
)
from streams.events.origin import Origin, decode_label_tail
from streams.events.rejected import Input
from tests.schemas import reference
from tests.schemas.events import (
    ACTIONS,
    ANSWERED,
    CHARGE,
    DISPUTE,
    MAX_CREATED,
    OPTIONAL,
    OUTCOME,
    OUTCOMES,
    encoded,
)

Parse = Callable[[bytes, bytes, float], tuple[msgspec.Struct, Aside]]

INPUTS_A_ROUND = 1_000
ROUNDS = int(os.environ.get("FUZZ_INPUTS", "2000")) // INPUTS_A_ROUND

ORIGIN = Origin("charges", 3, 41)
# The last two take long to make, so they are rare; the others are not decided here.
REASONS = {*get_args(RejectReason)} - {
    "unknown_charge", "test_card", "schema", "too_large", "nesting",
}  # fmt: skip
NUMBERS = ["4242424242424242", "378282246310005", "4222222222222", "6205500000000000004"]
WHOLE: Mapping[str, Any] = {**ANSWERED, **DISPUTE, **OPTIONAL, **CHARGE}
"""A charge, a dispute and an outcome at once."""

PLAIN_STRING = re.compile(r'"([^"\\]*)"')
TOKENS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b" ", b"\n", b"\x00", b"\xff",
    b"\xc3\xa9", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x8f\xa6", b"null", b"true", b"NaN",
    b"1e999", b"1e-999", b"-0", b"9" * 400, b"0." + b"1" * 40, b"\\u0034", b"\\u0020", b"\\u002d",
    b"\\ud83c\\udfe6", b"\\ud800", b"\\u0000", b"\\u00e9", b'"card":"tok_1",', b'"id":', b"/**/",
    b"24242424-4242-4242-4242-424242424242", *(number.encode() for number in NUMBERS),
]  # fmt: skip
WRONG: list[object] = [
    None, True, False, 0, -1, 7, 2**53, 2**64, 10**30, 0.5, -1.5, 1e15, 1e300, "", "x", "usd",
    "x" * 129, "x" * 1025, "\0\n\u2028", "\N{BANK}", [], {}, [[1, "a"], {"b": None}],
]  # fmt: skip


def check(received: Input) -> list[str]:
    """Return what became of an input as a charge, as a dispute and as an outcome."""
    results = []
    card = None if received.value is None else card_in(received.value)
    for decode in (decode_charges, decode_disputes, decode_outcomes):
        decoded = decode([received], MAX_CREATED)
        assert len(decoded.batch.rows) + len(decoded.rejected) == 1, received
        if not decoded.rejected:
            results.append("valid")
            assert card == received.key
            shown = written(decoded, is_charge=decode is decode_charges)
        else:
            (copy,) = decoded.rejected
            results.append(copy.reason)
            headers = {name: value.decode() for name, value in copy.headers}
            assert headers.keys() == {"error", "topic", "partition", "offset"}, received
            assert "\n" not in headers["error"], received
            shown = [copy.reason, *headers.values(), *readings(copy.key), *readings(copy.value)]
        assert not reference.card_numbers("\n".join(shown)), received
    return results


def written(decoded: Decoded, *, is_charge: bool) -> list[str]:
    """Return what goes on of a valid input, save the identifiers of a charge: these are left."""
    (tail,) = decoded.batch.tails
    if not is_charge:
        _, key, value = decode_label_tail(tail)
        return [*readings(key), *readings(value)]
    head = orjson.loads(tail + b"}")
    assert head.pop("merchant").encode() == decoded.batch.merchants[0]
    assert head["card"].encode() == decoded.batch.cards[0]
    del head["charge"]
    text = orjson.dumps(head).decode()
    assert not reference.holds_card_number(text), text
    return reference.strings_in(text)


def readings(value: bytes | None) -> list[str]:
    """Return what can be read in bytes: the text as it stands, and the strings of JSON."""
    if value is None:
        return []
    try:
        strings = reference.strings_in(value.decode())
    except (ValueError, RecursionError):
        strings = []
    return [value.decode("latin-1"), *strings]


def hostile(rng: Random) -> Input:
    """Make an input that is wrong in some way, or nearly so."""
    make = rng.choice([noise, edited, edited, edited, edited, edited, damaged, damaged])
    if rng.random() < 0.01:
        make = rng.choice([*[nested] * 7, oversized])
    keys = [b"tok_1"] * 12 + [None, b"", noise(rng), rng.choice(TOKENS)]
    return Input(rng.choice(keys), make(rng) if rng.random() > 0.001 else None, ORIGIN)


def noise(rng: Random) -> bytes:
    """Random bytes, or what JSON is made of in a random order."""
    if rng.random() < 0.5:
        return rng.randbytes(rng.randrange(60))
    return b"".join(rng.choices(TOKENS, k=rng.randrange(20)))


def edited(rng: Random) -> bytes:
    """JSON of an event with some fields that are wrong, missing or unknown."""
    event: dict[str, Any] = {**WHOLE}
    names = [*event]
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        name = rng.choice([*names, "note", "é", rng.choice(NUMBERS)])
        event[name] = rng.choice([*WRONG, f"{rng.choice(['', 'x', '1'])}{written_number(rng)}"])
    if rng.random() < 0.3:
        event["outcome"] = rng.choice([*OUTCOMES, "Authorized", "approved"])
    if rng.random() < 0.1:
        del event[rng.choice(names)]
    if rng.random() < 0.05:
        event["card"] = written_number(rng)
    if rng.random() < 0.05:
        event["created"] = MAX_CREATED + rng.random()
    return escaped(rng, encoded(event)) if rng.random() < 0.3 else encoded(event)


def written_number(rng: Random) -> str:
    digits = rng.choice(NUMBERS)
    layouts = [layout for layout in reference.LAYOUTS if sum(layout) == len(digits)]
    return reference.grouped(digits, rng.choice(layouts), rng.choice(" -"))


def escaped(rng: Random, value: bytes) -> bytes:
    """Write some of the characters in the strings of JSON text as escapes."""
    share = rng.random()

    def written(string: re.Match[str]) -> str:
        characters = (
            f"\\u{ord(character):04x}" if rng.random() < share else character
            for character in string[1]
        )
        return f'"{"".join(characters)}"'

    return PLAIN_STRING.sub(written, value.decode()).encode()


def damaged(rng: Random) -> bytes:
    """JSON of an event with parts cut out, doubled, overwritten or put in."""
    value = edited(rng)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        start, stop = sorted(rng.randrange(len(value) + 1) for _ in range(2))
        stop = min(stop, start + rng.choice([1, 4, 40]))
        part = rng.choice(
            [b"", value[start:stop] * 2, rng.randbytes(stop - start), rng.choice(TOKENS)]
        )
        value = value[:start] + part + value[rng.choice([start, stop]) :]
    return value[: rng.randrange(len(value) + 1)] if rng.random() < 0.05 else value


def nested(rng: Random) -> bytes:
    """JSON of an event with a deep field, sometimes not closed."""
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"', b'":1}]')])
    depth = rng.choice([10, NESTING_MAX - 1, NESTING_MAX, 500, 1_100, 10_000])
    inner = rng.choice([b"1", b'"4242424242424242"', b""])
    end = closing * (depth - rng.choice([0, 0, 1])) + rng.choice([b"}", b""])
    return encoded(WHOLE)[:-1] + b',"deep":' + opening * depth + inner + end


def oversized(rng: Random) -> bytes:
    """Around the largest payload that is read."""
    part = rng.choice([b" ", b"x", b'"', b"4242424242424242 ", b"[", b"\\", b"\\u0034"])
    size = PAYLOAD_BYTES_MAX + rng.choice([-4_000, 0, 1, 7, 4_000])
    start = encoded(WHOLE)[:-1] + b',"note":"'
    return start + part * ((size - len(start) - 2) // len(part)) + b'"}'


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_fuzz(seed: int) -> None:
    rng = Random(seed)
    results = Counter(result for _ in range(INPUTS_A_ROUND) for result in check(hostile(rng)))
    # That every way through was taken, not only the first check.
    assert results.keys() >= {"valid", *REASONS}
    assert results["valid"] > INPUTS_A_ROUND / 50


def of_known_fields(rng: Random, event: Mapping[str, Any]) -> bytes:
    """JSON of an event without unknown fields, often a valid one."""
    wrong = {name: rng.choice(WRONG) for name in rng.sample([*event], rng.choice([0, 1, 2]))}
    value = encoded({**event, **wrong})
    if rng.random() < 0.5:
        position = rng.randrange(len(value))
        value = value[:position] + rng.choice(TOKENS) + value[position + rng.choice([0, 1]) :]
    return value


def meaning(parse: Parse, value: bytes) -> tuple[object, ...]:
    """Return the fields that are read from an event, or why it is none."""
    try:
        event, aside = parse(value, b"tok_1", MAX_CREATED)
    except InvalidEvent as error:
        return (error.reason,)
    return (msgspec.structs.asdict(event), orjson.dumps(aside.unknown), aside._replace(unknown={}))


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize(
    ("parse", "event"),
    [
        (parse_charge, {**OPTIONAL, **CHARGE}),
        (parse_dispute, DISPUTE),
        (parse_outcome, OUTCOME),
        (parse_outcome, ANSWERED),
    ],
)
def test_an_escape_changes_nothing(parse: Parse, event: Mapping[str, Any], seed: int) -> None:
    """What is decoded in one pass means the same when an escape has it looked at closely."""
    rng = Random(seed)
    plain, read = 0, 0
    for _ in range(INPUTS_A_ROUND):
        value = of_known_fields(rng, event)
        if b"\\" not in value and value.count(b'"created"') == 1:
            plain += 1
            found = meaning(parse, value)
            read += len(found) > 1
            assert meaning(parse, value.replace(b'"created"', b'"\\u0063reated"')) == found, value
    assert plain > INPUTS_A_ROUND / 2
    assert read > INPUTS_A_ROUND / 10


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_outcome_is_one_of_those_there_are(seed: int) -> None:
    """Whatever is written for it and for its action, by the rule in plain Python."""
    rng = Random(seed)
    contents: list[object] = [*OUTCOMES, *ACTIONS, "Blocked", "ALLOW", "blocked ", *WRONG]
    known = 0
    for _ in range(INPUTS_A_ROUND):
        event = {**OUTCOME, "outcome": rng.choice(contents), "action": rng.choice(contents)}
        outcome, action = (lowered(event[name]) for name in ("outcome", "action"))
        is_valid = outcome in OUTCOMES and (
            action in ACTIONS or (action in (None, "") and outcome != "answered")
        )
        known += is_valid
        found = meaning(parse_outcome, encoded(event))
        assert (len(found) > 1) == is_valid, event
        if is_valid:
            assert found[0] == {**event, "outcome": outcome, "action": action or None}
    assert INPUTS_A_ROUND / 50 < known < INPUTS_A_ROUND / 2


def lowered(content: object) -> object:
    return content.lower() if isinstance(content, str) else content


@given(st.one_of(st.none(), st.binary(max_size=40)), st.one_of(st.none(), st.binary(max_size=300)))
def test_any_bytes(key: bytes | None, value: bytes | None) -> None:
    check(Input(key, value, ORIGIN))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=30)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=20), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*WHOLE]), json_values), json_values)
def test_any_json(fields: dict[str, object], note: object) -> None:
    check(Input(b"tok_1", json.dumps(note).encode(), ORIGIN))
    check(Input(b"tok_1", encoded({**WHOLE, **fields, "note": note}), ORIGIN))


@given(st.lists(st.tuples(st.integers(0, 600), st.sampled_from(TOKENS)), max_size=8))
def test_any_tokens_in_an_event(insertions: list[tuple[int, bytes]]) -> None:
    value = encoded(WHOLE)
    for position, token in insertions:
        value = value[:position] + token + value[position:]
    check(Input(b"tok_1", value, ORIGIN))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_charge_is_the_same_without_what_is_beside_it(seed: int) -> None:
    rng = Random(seed)
    count = 0
    for _ in range(INPUTS_A_ROUND):
        received = hostile(rng)
        try:
            charge, _ = parse_charge(received.value, received.key, MAX_CREATED)
        except InvalidEvent:
            continue
        count += 1
        alone, _ = parse_charge(received.value, received.key, MAX_CREATED, is_carried=False)
        assert msgspec.structs.asdict(alone) == msgspec.structs.asdict(charge), (seed, received)
    assert count > 50
