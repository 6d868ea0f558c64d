"""Rules that never decide, in small cases; many rules; merchants with reviews of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.evaluation.trial.each_rule import PAIRS_MAX, figures_of_rules, never_decide, overlaps
from agents.evaluation.trial.scratch import ScratchMerchants
from agents.evaluation.trial.tried import BY_ANOTHER, BY_NO_RULE, TRIED, Bits, Tried
from agents.policy.terms import Terms, TermsTable
from agents.rules.deciding import decide
from agents.rules.rule_set import parse
from streams.events.rows import hash_of


def tried(text: str, matched: list[list[int]], decided_by: list[int] | None = None) -> Any:
    """Return rules, and charges of which some match."""
    rules = parse(text).rules
    truth = np.array(matched, np.bool_).reshape(len(rules), -1)
    charges = np.zeros(truth.shape[1], TRIED)
    charges["card"] = np.arange(truth.shape[1])
    charges["decided_by"] = decide(rules, truth)[1] if decided_by is None else decided_by
    nothing = Bits(np.zeros((0, truth.shape[1]), np.bool_))
    labels = np.arange(truth.shape[1], dtype=np.uint8) % 4
    return rules, Tried(charges, labels, Bits(truth), nothing, np.zeros((0, len(charges))), 0, 0.0)


@pytest.mark.parametrize(
    ("text", "matched", "expected"),
    [
        ("# a:\nblock if true\n# b:\nblock if true", [[1, 1, 0], [1, 0, 0]], {"b": {"a": 1}}),
        ("# a:\nreview if true\n# b:\nblock if true", [[1, 1], [1, 1]], {"a": {"b": 2}}),
        ("# a:\nreview if true\n# b:\nblock if true", [[1, 1], [1, 0]], {}),
        ("# a:\nblock if true\n# b:\nshadow block if true", [[1, 1], [1, 1]], {}),
        ("# a:\nblock if true\n# b:\nshadow block if true", [[1, 1], [0, 0]], {"b": {}}),
        ("# a:\nallow if true\n# c:\nchallenge if true", [[1, 1], [1, 1]], {"a": {"c": 2}}),
        (  # without `a` it would be a block
            "# a:\nallow if true\n# c:\nchallenge if true\n# b:\nblock if true",
            [[1, 1], [1, 1], [0, 1]],
            {"a": None, "b": {"c": 1}},
        ),
        (
            "# x:\nallow_without_challenge if true\n# a:\nallow if true\n# c:\nchallenge if true",
            [[1, 0], [1, 0], [1, 1]],
            {"a": {"x": 1}},
        ),
    ],
)
def test_who_takes_the_charges_of_rules_that_never_decide(
    text: str, matched: list[list[int]], expected: dict[str, dict[str, int] | None]
) -> None:
    found = {
        row["id"]: {each["id"]: each["charges"] for each in row["taken_by"]}
        for row in never_decide(*tried(text, matched))
    }
    assert found == {name: takers for name, takers in expected.items() if takers is not None}


def test_a_rule_beside_those_on_trial_may_take_them() -> None:
    [row] = never_decide(*tried("# a:\nchallenge if true", [[1, 0]], [BY_ANOTHER, BY_NO_RULE]))
    assert row["taken_by"] == [{"id": None, "charges": 1}]


def test_of_many_overlaps_the_largest_are_told() -> None:
    rng = np.random.default_rng(3)
    text = "\n".join(f"# r{n}:\nblock if true" for n in range(21))
    matched = rng.random((21, 25_000)) < rng.random((21, 1))
    rules, charges = tried(text, matched.tolist())
    rows = overlaps(rules, charges)
    assert len(rows) == PAIRS_MAX
    expected = sorted(
        ((int((matched[i] & matched[j]).sum()), i, j) for i in range(21) for j in range(i + 1, 21)),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    assert [(row["charges"], *row["rules"]) for row in rows] == [
        (charges, f"r{i}", f"r{j}") for charges, i, j in expected[:PAIRS_MAX]
    ]
    for number, row in enumerate(figures_of_rules(rules, charges)):
        assert row["matched"]["charges"] == matched[number].sum()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 500])
def test_bits_are_what_was_put_in(size: int) -> None:
    rng = np.random.default_rng(size)
    parts = [rng.random((size, count)) < 0.3 for count in (3, 0, 17)]
    whole = Bits.joined([Bits(part) for part in parts], size)
    expected = np.concatenate(parts, axis=1)
    assert len(whole) == size
    assert [whole.row(n).tolist() for n in range(size)] == expected.tolist()
    assert whole.block(2, 9).tolist() == expected[:, 2:9].tolist()
    assert whole.block(15, 99).tolist() == expected[:, 15:].tolist()


def test_merchants_with_reviews_of_their_own_keep_them() -> None:
    merchants = np.array([hash_of(f"m{n % 150}") for n in range(400)], np.uint64)
    shared = ScratchMerchants(TermsTable(Terms()))
    assert shared.slots(merchants).tolist() == [0] * 400
    own = ScratchMerchants(TermsTable(Terms(), {"m1": Terms(has_own_reviews=True)}))
    first = own.slots(merchants[:50])
    own.records["review_tokens"][first] = merchants[:50] % 1000
    again = own.slots(merchants)
    assert len(set(again.tolist())) == 150
    assert own.records["review_tokens"][again[:50]].tolist() == (merchants[:50] % 1000).tolist()
    assert own.records["review_tokens"][again[50:150]].tolist() == [0] * 100
