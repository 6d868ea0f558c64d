"""Card numbers: found and masked as a slow, obvious rule says, in text and in any JSON."""

import hashlib
import hmac
import json
import random
import time
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.card_numbers import (
    card_token,
    contains_card_number,
    mask,
    mask_json,
    mask_key,
    mask_payload,
    may_hold_card_number,
    passes_luhn,
)
from tests.schemas import reference

VISA = "4242424242424242"
DIGITS = "0123456789"
# Numbers that card schemes and payment sandboxes publish for tests.
PUBLISHED = [
    "4222222222222",
    "30569309025904",
    "36227206271667",
    "378282246310005",
    "371449635398431",
    "4242424242424242",
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "6011111111111117",
    "3566002020360505",
    "6205500000000000004",
    "2200770239097761",
    "5019717010103742",
    "5066991111111118",
    "6304000000000000",
    "6759649826438453",
    "6074825972083818",
    "9792030394440796",
    "135410014004955",
]

random_digits = st.text(DIGITS, min_size=12, max_size=18)
numbers = st.one_of(
    st.sampled_from(PUBLISHED),
    random_digits.map(reference.with_check_digit),
    random_digits.map(lambda digits: reference.with_check_digit("4" + digits[1:])),
    random_digits.map(lambda digits: reference.with_check_digit("50" + "0" * 6 + digits[8:])),
)
issued = numbers.filter(reference.is_card_number)
uuids = st.one_of(
    st.uuids().map(str),
    # With many digits, as one in fifty thousand is.
    st.text("0123456789a", min_size=32, max_size=32).map(
        lambda digits: str(uuid.UUID(digits.zfill(32)))
    ),
)


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    digits = draw(issued)
    if draw(st.booleans()):
        separators = draw(st.text(" -", min_size=len(digits), max_size=len(digits)))
        present = draw(st.sets(st.integers(0, len(digits) - 2)))
        return "".join(
            digit + (separators[i] if i in present else "") for i, digit in enumerate(digits)
        )
    layout = draw(
        st.sampled_from([sizes for sizes in reference.LAYOUTS if sum(sizes) == len(digits)])
    )
    return reference.grouped(digits, layout, draw(st.sampled_from(" -")))


def by_fours(digits: str, separator: str) -> str:
    return separator.join(digits[i : i + 4] for i in range(0, len(digits), 4))


texts = st.lists(
    st.one_of(
        written_numbers(),
        uuids,
        st.text(DIGITS + " -", max_size=24),
        st.text(DIGITS + "abcdef-", max_size=40),
        st.lists(st.text(DIGITS, min_size=4, max_size=4), max_size=6).map("-".join),
        st.sampled_from(["", " ", "-", "\n", "tok_", "=", "\u0664", "\uff14", "\u00a0", "a", "4"]),
        st.text(max_size=4),
    ),
    max_size=5,
).map("".join)


@st.composite
def json_strings(draw: st.DrawFn, contents: st.SearchStrategy[str] = texts) -> str:
    """Write any text as a JSON string, each character as it is or escaped."""
    text = draw(contents)
    escaped = draw(st.sets(st.integers(0, max(0, len(text) - 1)), max_size=8))
    return f'"{"".join(_written(c, i in escaped) for i, c in enumerate(text))}"'


def _written(character: str, escaped: bool) -> str:
    plain = json.dumps(character, ensure_ascii=False)[1:-1]
    if not escaped or len(plain) > 1:
        return plain
    return json.dumps(character)[1:-1] if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


json_texts = st.recursive(
    st.one_of(json_strings(), st.integers(-1, 10**19).map(str), st.sampled_from(["null", "1.5"])),
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        # Field names may be repeated.
        st.lists(st.tuples(json_strings(), values), max_size=3).map(
            lambda fields: f"{{{','.join(f'{name}: {value}' for name, value in fields)}}}"
        ),
    ),
    max_leaves=4,
)


@given(st.text(DIGITS, min_size=1, max_size=30))
def test_luhn_check(digits: str) -> None:
    assert passes_luhn(digits) == reference.luhn(digits)


@pytest.mark.parametrize("digits", PUBLISHED)
@pytest.mark.parametrize("separator", ["", " ", "-"])
@pytest.mark.parametrize(
    "around", ["%s", "card=%s;x", "tok_%s", "7 %s.1", "(%s)", "é%s\n", "-%s-", "x %s 12 27", "+%s"]
)
def test_published_number_in_text(digits: str, separator: str, around: str) -> None:
    text = around % by_fours(digits, separator)
    assert contains_card_number(text)
    assert mask(text) == around % by_fours("*" * len(digits), separator)


@pytest.mark.parametrize("digits", PUBLISHED)
@pytest.mark.parametrize("separator", ["", " ", "-"])
@pytest.mark.parametrize("around", ["a%s", "%sb", "a%sb", "Z%s9a"])
def test_what_does_not_stand_alone_is_no_card_number(
    digits: str, separator: str, around: str
) -> None:
    text = around % by_fours(digits, separator)
    assert not contains_card_number(text)
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "3782 822463 10005",
        "3056-930902-5904",
        "4222 2222 22222",
        "1003 58151 250009",
        "620550 0000000000004",
        "4242-4242 4242-4242",
    ],
)
def test_other_groupings(text: str) -> None:
    assert contains_card_number(text)
    assert contains_card_number(f"17 {text} 9")
    assert not contains_card_number(f"1{text}")


@pytest.mark.parametrize("text", ["42424242 42424242", "4-2 4-2 4-2 4-2 4-2 4-2 4-2 4-2"])
def test_any_grouping_where_nothing_else_is_in_the_row(text: str) -> None:
    assert contains_card_number(f"paid with {text}.")
    assert not contains_card_number(f"paid with 17 {text}.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424243",
        "424242424242",
        "42424242424242424242",
        "4242 4242 4242 4243",
        "4242  4242  4242  4242",
        "4242.4242.4242.4242",
        "8869509677121526",
        "42424242424242",
        "302-1234567-1234564",
        "\u0664\u0662" * 8,
    ],
)
def test_what_is_no_card_number(text: str) -> None:
    assert not contains_card_number(text)
    assert mask(text) == text


@given(st.text(max_size=3), written_numbers(), st.text(max_size=3))
def test_every_written_number_is_found(before: str, number: str, after: str) -> None:
    text = f"{before}.{number}.{after}"
    assert contains_card_number(text)
    assert number not in mask(text)


@given(texts)
@example("4242-4242-4242-4242abcd-4242-4242-4242-4242aaaaaaaa")
@example("24242424-4242-4242-4242-424242424242")
@example("aaaaaaaa-aaaa-aaaa-aaaa-422222222222 2")
@example("4 2-4242424242424242 2aaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa")
def test_text_against_brute_force(text: str) -> None:
    spans = reference.card_numbers(text)
    assert contains_card_number(text) == bool(spans)
    assert mask(text) == reference.masked(text)
    assert not contains_card_number(mask(text))


@given(json_texts)
@example('"\\f4242424-4242-4242-4242-4242aaaaaaaa"')
@example('{"\\u00342424242424242424": 0}')
@example('{"a": "4242424242424242", "a": "b"}')
def test_json_against_brute_force(text: str) -> None:
    expected = reference.holds_card_number(text)
    copy = mask_json(text.encode())
    assert (copy != text.encode()) == expected
    assert not reference.holds_card_number(copy.decode())
    assert may_hold_card_number(text.encode()) or not expected


@pytest.mark.parametrize(
    ("written", "copy"),
    [
        ("4242424242424242", '"****************"'),
        ("-4242424242424242", '"-****************"'),
        ("4242424242424242.0", '"****************.*"'),
        ("4.242424242424242e15", '"*.***************e**"'),
        ("4.242424242424242E+0015", '"*.***************E+****"'),
        ("6.0110004e15", '"*.*******e**"'),
        ("42424242424242420e-1", '"*****************e-*"'),
        ("0.4242424242424242", None),
        ("4242424242424242.5", None),
        ("4242424242424243", None),
        ("1790000000.0", None),
        ("1e-400", None),
        ("1e15", None),
        ("[4242,4242,4242,4242]", None),
        ('"\\n4242424242424242\\u00e9"', '"\\n****************é"'),
        ('"\\u00414242424242424242"', None),
    ],
)
def test_numbers_of_json(written: str, copy: str | None) -> None:
    value = f'{{"n": {written}, "m" :1.50}}'
    assert reference.holds_card_number(value) == (copy is not None)
    assert may_hold_card_number(value.encode()) or copy is None
    masked = mask_json(value.encode()).decode()
    assert masked == value.replace(written, copy or written)
    copies = mask_payload(value.encode())
    assert copies is not None
    assert copy is None or written.encode() not in copies


@given(issued, st.binary(min_size=16, max_size=40))
@example("30001031435559993", b"k" * 16)
def test_token_is_a_keyed_hash_of_the_digits(digits: str, key: bytes) -> None:
    expected = "hmac_" + hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()
    assert card_token(digits, key) == expected
    assert card_token(by_fours(digits, " "), key) == expected
    assert card_token(f"card {by_fours(digits, '-')}.", key) == expected
    assert not reference.card_numbers(expected)


@given(json_texts)
@example('"4222222222222\\u0034242424242424242"')
@example('"\\u00e94242424242424242"')
@example('"4242\\u01344242\\u01344242"')
def test_masked_json_holds_no_card_number_however_it_is_read(text: str) -> None:
    copy = mask_payload(text.encode())
    assert copy is not None
    assert not reference.card_numbers(copy.decode("latin-1"))
    try:
        strings = reference.strings_in(copy.decode())
    except ValueError:  # a number was masked
        return
    assert not any(map(reference.card_numbers, strings))


@given(st.one_of(texts.map(str.encode), st.binary(max_size=60)))
def test_only_the_digits_of_card_numbers_are_masked(value: bytes) -> None:
    for copy in (mask_key(value), mask_payload(value)):
        assert copy == reference.masked(value.decode("latin-1")).encode("latin-1")
    assert mask_key(None) is mask_payload(None) is None


@given(json_strings(written_numbers()))
def test_escaped_digits_become_escaped_asterisks(text: str) -> None:
    copy = mask_payload(text.encode())
    assert copy is not None
    number = json.loads(text)
    assert json.loads(copy) == "".join("*" if c in DIGITS else c for c in number)


@given(uuids, st.sampled_from(["%s", "ch_%s", '{"id":"%s"}', "-%s-", "4 %s 4"]))
def test_uuid_is_no_card_number(identifier: str, around: str) -> None:
    text = around % identifier
    assert not contains_card_number(text)
    assert mask(text.upper()) == text.upper()


@pytest.mark.parametrize("seed", [1, 2])
def test_random_tokens_are_no_card_numbers(seed: int) -> None:
    rng = random.Random(seed)
    base62 = DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for _ in range(10_000):
        assert not contains_card_number("".join(rng.choices(base62, k=24)))
        assert not contains_card_number(str(uuid.UUID(int=rng.getrandbits(128), version=4)))


@pytest.mark.parametrize(
    "part",
    [
        "1",
        "1 ",
        "1111-",
        "4242424242424242 ",
        "4242-4242-4242-4242-",
        "aaaa0000-0000-0000-0000-aaaaaaaaaaaa ",
        "\\u0031",
        "\\u00311111-1111",
        "1111\\u0020",
        "4242\\u002d",
        "4 ",
        "1.",
        "4e",
        "4.2e15 ",
        '"',
        '\\"',
        "\\",
    ],
)
def test_no_text_takes_long(part: str) -> None:
    def seconds(size: int) -> float:
        value = (part * (size // len(part) + 1))[:size].encode()
        start = time.process_time()
        mask_payload(value)
        mask_json(json.dumps([value.decode()]).encode())
        may_hold_card_number(value)
        return time.process_time() - start

    # A quadratic step would make it 16 times as long.
    short, long = (min(seconds(size) for _ in range(3)) for size in (20_000, 80_000))
    assert long < 0.05 + 6 * short
