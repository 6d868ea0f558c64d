"""Hostile texts: each is refused with its place, soon and in a short message, or it is right."""

from __future__ import annotations

import time

import pytest

from agents.rules.mistakes import MISTAKES_MAX, Mistake, RuleErrors
from agents.rules.rule_set import parse
from schemas.card_numbers import contains_card_number
from tests.agents.rules.hostile import hostile_texts

TEXTS = hostile_texts()
RIGHT = {"", " ", "#"}
LONGEST_S = 0.25
ROUNDS = 3  # of which the fastest is what it takes: others use the same cores
"""Beside much else on the machine: by itself it takes a few milliseconds, or 60 where there are as
many mistakes as are told, each with the name that is nearest."""


def mistakes_in(text: str) -> tuple[Mistake, ...]:
    try:
        parse(text)
    except RuleErrors as errors:
        return errors.mistakes
    return ()


def test_there_are_enough() -> None:
    assert len(TEXTS) >= 200


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_it_is_refused_soon_and_with_its_place(number: int) -> None:
    text = TEXTS[number]
    taken_s = []
    for _ in range(ROUNDS):
        began = time.process_time()
        mistakes = mistakes_in(text)
        taken_s.append(time.process_time() - began)
    assert min(taken_s) < LONGEST_S
    assert bool(mistakes) != (text in RIGHT)
    assert len(mistakes) <= MISTAKES_MAX
    lines = text.split("\n")
    for mistake in mistakes:
        assert 1 <= mistake.line <= len(lines)
        assert 1 <= mistake.column <= len(lines[mistake.line - 1]) + 1
        assert mistake.length >= 1
        told = str(mistake)
        assert len(told) < 500
        assert told.encode()
        assert all(line.isprintable() for line in told.split("\n"))
        assert not contains_card_number(told)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("block if :mcc: = " + "9" * 2_000, "at most 2,000 characters"),
        ("block if true\n" * 501, "at most 500 rules"),
        ("#\n" * 2_001, "at most 2,000 lines"),
        ("block if :mcc: in (" + "1," * 300 + "1)", "at most 300 values"),
        ("block if " + "(" * 51 + "true" + ")" * 51, "at most 50 parentheses"),
        ("block if " + "not " * 50 + "true", "at most 50 levels"),
    ],
)
def test_a_limit_is_named(text: str, limit: str) -> None:
    [mistake] = mistakes_in(text)
    assert limit in mistake.message


@pytest.mark.parametrize(
    "text",
    [
        "block if true\n" * 500,
        "block if :mcc: in (" + "1," * 299 + "1)",
        "block if " + "(" * 50 + "true" + ")" * 50,
        "block if " + "not " * 49 + "true",
        "block if :mcc: = " + "0" * 1_983,
    ],
)
def test_up_to_its_limit_a_text_is_right(text: str) -> None:
    assert mistakes_in(text) == ()
    parse(str(parse(text)))
