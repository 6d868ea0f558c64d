"""Patterns match as the reference says, in time that grows with the text."""

from __future__ import annotations

import time
from itertools import product
from random import Random

import pytest

from agents.rules.patterns import Pattern
from tests.agents.rules.naive import is_like


def test_all_short_patterns_and_texts() -> None:
    texts = ["".join(each) for size in range(5) for each in product("ab", repeat=size)]
    for size in range(5):
        for items in product(("a", "b", "_", "%"), repeat=size):
            pattern = "".join(items)
            compiled = Pattern(pattern)
            wrong = [text for text in texts if compiled.matches(text) != is_like(text, pattern)]
            assert wrong == [], pattern


def test_long_random_patterns() -> None:
    random = Random("patterns")
    for _ in range(2_000):
        pattern = "".join(random.choices(("a", "b", "_", "%", r"\%", r"\_", "\\\\"), k=12))
        text = "".join(random.choices("ab%_\\", k=random.randint(0, 40)))
        assert Pattern(pattern).matches(text) == is_like(text, pattern), (pattern, text)


@pytest.mark.parametrize(
    "pattern", ["%a" * 400 + "%b", "%" + "_" * 800 + "b%", "%" + "a_" * 400 + "b%", "%_a%" * 200]
)
def test_time_grows_with_the_text(pattern: str) -> None:
    """Each is quadratic, or worse, where a match is looked for again from every place."""
    compiled = Pattern(pattern)
    began = time.process_time()
    assert not compiled.matches("a" * 60_000 + "c") or not pattern.endswith("b")
    assert time.process_time() - began < 0.5
