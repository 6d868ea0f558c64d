"""Pages of TOML: what is wrong is told, all of it, and nothing else ever happens."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.mapping.mistakes import MappingError
from streams.mapping.reading import read_mapping
from streams.mapping.ready_mappings import find_mapping, ready_names

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[charge]
id = "trans_num"
created = { from = "unix_time", unit = "s" }
amount = { from = "amt", unit = "major" }
currency = { value = "usd" }
card = "cc_num"
merchant = "shop"
"""


def mistakes(text: str) -> str:
    with pytest.raises(MappingError) as told:
        read_mapping(text, "own.toml")
    return str(told.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("amount", "amont"), "charge.amont: unknown; did you mean amount?"),
        (('unit = "major"', 'unit = "mayor"'), "charge.amount.unit: expected one of major, minor"),
        (('unit = "s"', 'units = "s"'), "charge.created.units: unknown; did you mean unit?"),
        ((', unit = "s"', ""), "charge.created: expected unit (one of s, ms, "),
        ((', unit = "major"', ""), "charge.amount.unit: expected one of major, minor, got none"),
        (('"cc_num"', "5"), "charge.card: expected a column"),
        (('"cc_num"', "{ hash = true }"), "charge.card: expected one of from, first, value, row"),
        (('card = "cc_num"', ""), "charge.card: is missing"),
        (('unit = "s"', 'unit = "s", start = "soon"'), "charge.created.start: expected a time"),
        (('unit = "s"', 'format = "iso", zone = "Mars/Base"'), "there is no zone Mars/Base"),
        (('unit = "s"', 'format = "%Q"'), "charge.created.format: expected"),
        (("[charge]", "[charges]"), "charges: unknown; did you mean charge?"),
        (("[charge]", 'carry = "some"\n[charge]'), 'carry: expected "all", "none" or a list'),
        (("[charge]", 'csv.delimiter = ";;"\n[charge]'), "csv.delimiter: expected one character"),
        (("[charge]", 'csv.encoding = "x"\n[charge]'), "csv.encoding: expected such as utf-8"),
        (("[charge]", '[charge]\nwhen = "a is b"'), "charge.when: expected conditions such as"),
        (("[charge]", "[charge"), "is no TOML"),
    ],
)
def test_a_mistake_has_its_place(change: tuple[str, str], said: str) -> None:
    assert said in mistakes(GOOD.replace(*change, 1))


def test_all_mistakes_are_told_at_once() -> None:
    text = GOOD.replace("amount", "amont").replace('"s"', '"h"') + (
        '[dispute]\nwen = "x = 1"\ndelay_days = -1\n[[outcome]]\noutcome = { value = "lost" }\n'
    )
    told = mistakes(text)
    for place in ("charge.amont", "charge.amount", "charge.created.unit", "dispute.wen",
                  "dispute.delay_days", "outcome[0].outcome.value"):  # fmt: skip
        assert place in told
    assert told.startswith("own.toml: 6 mistakes:\n")


def test_a_key_in_place_of_its_variable_is_not_told() -> None:
    secret = "hunter2-hunter2-hunter2"
    assert secret not in mistakes(f'hash_key_variable = "{secret}"\n{GOOD}')
    assert "are of settings" in mistakes(f'hash_key_variable = "CHARGEWATCH_TURN"\n{GOOD}')


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["from", "unit", "map", "value", "when", "hash", "start", "zone", "x"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
NAMES = st.sampled_from(
    ["charge", "dispute", "outcome", "csv", "carry", "numbers", "missing", "leave_out",
     "hash_key_variable", "description", "amount", "created"]
)  # fmt: skip


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return re.sub("^(-?)inf", r"\1inf", repr(value))
        case int():
            return str(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(inner)}' for key, inner in value.items())}}}"
    text = "".join(f"\\U{ord(each):08x}" for each in str(value) if not 0xD800 <= ord(each) < 0xE000)
    return f'"{text}"'


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=6), max_size=6))
def test_any_document_is_a_mapping_or_is_refused(document: dict[str, Any]) -> None:
    text = "\n".join(f"{name} = {toml(value)}" for name, value in document.items())
    tomllib.loads(text)
    try:
        read_mapping(text, "own.toml")
    except MappingError as error:
        assert str(error).startswith("own.toml: ")  # noqa: PT017 - others may be none


@given(st.text(max_size=200) | st.just("[" * 5000) | st.just("a." * 3000 + "b = 1"))
def test_any_text_is_a_mapping_or_is_refused(text: str) -> None:
    try:
        read_mapping(text, "own.toml")
    except MappingError as error:
        assert str(error).startswith("own.toml: ")  # noqa: PT017 - others may be none


def test_ready_mappings_say_what_they_are() -> None:
    for name in ready_names():
        assert find_mapping(name).description.count("\n") == 0
        assert find_mapping(name).of_kind("charge")


def test_a_name_that_there_is_none_of_is_told_with_the_nearest() -> None:
    with pytest.raises(MappingError, match="no such mapping; did you mean stripe"):
        find_mapping("stripes")


def test_a_file_of_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="is no UTF-8"):
        find_mapping(str(path))
