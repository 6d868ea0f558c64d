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
from schemas.validation import NESTING_MAX, PAYLOAD_BYTES_MAX, parse_charge, parse_dispute
from streams.events.decoding import Decoded, card_in, decode_charges, decode_disputes
from streams.events.origin import Origin, decode_dispute_tail
from streams.events.rejected import Input
from tests.schemas import reference
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED, OPTIONAL, encoded

Parse = Callable[[bytes, bytes, float], tuple[msgspec.Struct, Aside]]

INPUTS_A_ROUND = 1_000
ROUNDS = int(os.environ.get("FUZZ_INPUTS", "2000")) // INPUTS_A_ROUND

ORIGIN = Origin("charges", 3, 41)
# The last two take long to make, so they are rare; the first is not decided here.
REASONS = {*get_args(RejectReason)} - {"unknown_charge", "too_large", "nesting"}
NUMBERS = ["4242424242424242", "378282246310005", "4222222222222", "6205500000000000004"]
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
    """Return what became of an input as a charge and as a dispute."""
    outcomes = []
    card = None if received.value is None else card_in(received.value)
    for decode in (decode_charges, decode_disputes):
        decoded = decode([received], MAX_CREATED)
        assert len(decoded.batch.rows) + len(decoded.rejected) == 1, received
        if not decoded.rejected:
            outcomes.append("valid")
            assert card == received.key
            shown = written(decoded, is_dispute=decode is decode_disputes)
        else:
            (copy,) = decoded.rejected
            outcomes.append(copy.reason)
            headers = {name: value.decode() for name, value in copy.headers}
            assert headers.keys() == {"error", "topic", "partition", "offset"}, received
            assert "\n" not in headers["error"], received
            shown = [copy.reason, *headers.values(), *readings(copy.key), *readings(copy.value)]
        assert not reference.card_numbers("\n".join(shown)), received
    return outcomes


def written(decoded: Decoded, *, is_dispute: bool) -> list[str]:
    """Return what goes on of a valid input, save the identifiers of a charge: these are left."""
    (tail,) = decoded.batch.tails
    if is_dispute:
        _, key, value = decode_dispute_tail(tail)
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
    event: dict[str, Any] = {**DISPUTE, **OPTIONAL, **CHARGE}
    names = [*event]
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        name = rng.choice([*names, "note", "é", rng.choice(NUMBERS)])
        event[name] = rng.choice([*WRONG, f"{rng.choice(['', 'x', '1'])}{written_number(rng)}"])
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
    return encoded({**DISPUTE, **CHARGE})[:-1] + b',"deep":' + opening * depth + inner + end


def oversized(rng: Random) -> bytes:
    """Around the largest payload that is read."""
    part = rng.choice([b" ", b"x", b'"', b"4242424242424242 ", b"[", b"\\", b"\\u0034"])
    size = PAYLOAD_BYTES_MAX + rng.choice([-4_000, 0, 1, 7, 4_000])
    start = encoded({**DISPUTE, **CHARGE})[:-1] + b',"note":"'
    return start + part * ((size - len(start) - 2) // len(part)) + b'"}'


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_fuzz(seed: int) -> None:
    rng = Random(seed)
    outcomes = Counter(outcome for _ in range(INPUTS_A_ROUND) for outcome in check(hostile(rng)))
    # That every way through was taken, not only the first check.
    assert outcomes.keys() >= {"valid", *REASONS}
    assert outcomes["valid"] > INPUTS_A_ROUND / 50


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
    ("parse", "event"), [(parse_charge, {**OPTIONAL, **CHARGE}), (parse_dispute, DISPUTE)]
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


@given(st.dictionaries(st.sampled_from([*CHARGE, *OPTIONAL, *DISPUTE]), json_values), json_values)
def test_any_json(fields: dict[str, object], note: object) -> None:
    check(Input(b"tok_1", json.dumps(note).encode(), ORIGIN))
    check(Input(b"tok_1", encoded({**DISPUTE, **CHARGE, **fields, "note": note}), ORIGIN))


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(TOKENS)), max_size=8))
def test_any_tokens_in_an_event(insertions: list[tuple[int, bytes]]) -> None:
    value = encoded({**DISPUTE, **OPTIONAL, **CHARGE})
    for position, token in insertions:
        value = value[:position] + token + value[position:]
    check(Input(b"tok_1", value, ORIGIN))
