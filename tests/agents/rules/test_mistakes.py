"""What is told of mistakes: word for word, and all of them at once."""

from __future__ import annotations

import pytest

from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import parse
from tests.agents.rules.golden import FILE, texts_in, told_of, with_messages


def test_messages_are_as_they_were() -> None:
    document = FILE.read_text(encoding="utf-8")
    assert with_messages(document) == document, "run: python -m tests.agents.rules.golden"
    assert len(texts_in(document)) > 60
    assert [text for text in texts_in(document) if told_of(text) == "nothing is wrong"] == []


def test_a_mistake_marks_its_part_of_the_line() -> None:
    line = "block if :amout: > 5 and :weekend: = 1"
    with pytest.raises(RuleErrors) as raised:
        parse(f"\n\n{line}")
    marked = [line[m.column - 1 :][: m.length] for m in raised.value.mistakes]
    assert marked == [":amout:", "1"]
    assert [m.line for m in raised.value.mistakes] == [3, 3]


@pytest.mark.parametrize(
    "text",
    [
        "BLOCK If :mcc: IN (1,2)AND NOT :weekend:",
        "block if 200<:amount_usd:",
        "block if :amount_usd:>2e2 or :amount_usd: > .5 or :amount_usd: > 5.",
        "\tblock  if\t:currency:='USD'  # no name",
        "block if :card_country: = 'de' and \"DE\" = :ip_country:",
        "block if ::a.b-c:: = 'it\\'s' or ::7:: is missing\r\n",
        "block if :three_d_secure: = false or true",
        "block if :amount_usd: / :card_sum_24h: > 0.5 - -0.25 * (1 + 2)",
    ],
)
def test_it_is_right(text: str) -> None:
    rules = parse(text)
    assert parse(str(rules)) == rules


def test_comments_name_rules() -> None:
    rules = parse(
        "# a comment\n"
        "# above: just above it\n"
        "block if true\n"
        "# apart: not just above\n"
        "\n"
        "block if true\n"
        "# above_too: but behind wins\n"
        "block if true # behind: on its line\n"
        "# short:\n"
        "block if true\n"
    )
    names = [("above", "just above it"), ("", ""), ("behind", "on its line"), ("short", "")]
    assert [(rule.id, rule.title) for rule in rules.rules] == names
    assert [rule.line for rule in rules.rules] == [3, 6, 8, 10]
    assert parse(str(rules)) == rules


def test_texts_are_kept_as_attributes_have_them() -> None:
    [rule] = parse("block if :ip_country: in ('de', 'other') and :currency: like 'US%'").rules
    assert str(rule) == 'block if :ip_country: in ("DE", "OTHER") and :currency: like "us%"'
