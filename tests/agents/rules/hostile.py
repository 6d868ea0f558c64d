"""Texts of rules that are made to do harm, or to look like others."""

from __future__ import annotations

from random import Random

LOOK_ALIKES = "аеорсухіјѕԁ"  # noqa: RUF001
SIGNS = "＝：（）＜＞＂＇，．“”‘’−–×÷≠≤≥¬∧∨∈∶"  # noqa: RUF001
UNSEEN = (
    "\0\x01\x07\b\v\f\x1b\x7f\x85\xa0\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029"
    "\u202a\u202b\u202d\u202e\u2060\u2066\u2067\u2069\ufeff\ufff9\ud800\udfff\U000e0041"
)


def hostile_texts() -> list[str]:
    """Return them; each is refused, or no different from what it seems."""
    random = Random("hostile")
    nesting = [
        f"block if {'(' * deep}:mcc: = 1{')' * deep}" for deep in (51, 500, 900, 10_000, 500_000)
    ]
    nesting += [f"block if {'(' * deep}" for deep in (1, 50, 900, 10_000)]
    nesting += [f"block if {')' * deep}" for deep in (1, 1_900)]
    nesting += [
        f"block if {sign * deep}:mcc: > 1"
        for sign in ("-", "not ", "(-", "not (")
        for deep in (60, 400)
    ]
    nesting += [f"block if :mcc: > {'1 + ' * deep}1" for deep in (60, 400, 20_000)]
    nesting += [f"block if {':weekend: and (' * 100}:weekend:{')' * 100}"]
    nesting += ["block if " + "(:weekend: or not " * 60 + ":weekend:" + ")" * 60]
    sizes = [
        "block if :mcc: in (" + ", ".join(["1"] * count) + ")" for count in (301, 600, 100_000)
    ]
    sizes += [
        "x" * 1_000_000, "9" * 1_000_000, '"' + "a" * 1_000_000, "#" * 1_000_000, ":" * 1_000_000,
        "block if :" + "a" * 1_900 + ": = 1", "block if ::" + "a" * 1_900 + " = 1",
        "block if @" + "a" * 1_900, "a" * 1_900, "block if " + "a" * 1_900,
        "block if :mcc: = " + "9" * 1_900, "block if :mcc: = " + "9" * 10_000,
        "block if :mcc: = 0." + "0" * 1_900 + "1", "block if " + ":a: " * 450,
        "block if " + " or ".join([":amoun:"] * 150), "block if :mcc: in @" + "b" * 1_900,
        "block if true\n" * 501, "\n" * 2_001 + "x", "# a\n" * 2_001, "block if :x: = 1\n" * 300,
        "# " + "a" * 64 + ": b\nblock if true\n" + "# " + "a" * 64 + ": b\nblock if true",
        "block if :mcc: " + "= 1 " * 450, "block if " + "and " * 450, "if " * 600,
        "block " * 300, "shadow " * 280, "block if " + ", " * 900, "block if :mcc: in " + "(" * 300,
    ]  # fmt: skip
    numbers = [
        f"block if :mcc: = {number}"
        for number in ("1e999", "1e999999", "-1e999", "1e-999999", "0x10", "1e", "1e+", "1_000",
                       "1.2.3", "1,000", "inf", "nan", "٣", "½", "\uff11", "²", "1e9e9", ".", "..5")
    ]  # fmt: skip
    unclosed = [
        f"block if :id: {rest}"
        for rest in ('= "', "= '", '= "a\\', '= "a\\"', "= 'a\"", 'like "%', '= "\\q"', '= "\\u{}"',
                     '= "\\u{110000}"', '= "\\u{d800}"', '= "\\u202e"', '= """', "= '''", "= a'",
                     'like "\\d+"', 'in ("a", "b', "in @", "in @a b")
    ]  # fmt: skip
    other = [
        "", " ", "#", "block", "if", "block if", "shadow", "shadow block", "=", "()", "block if ()",
        "block if = 1", "block if :", "block if ::", "block if :::", "block if ::::", "block if :a",
        "block if a:", "block if :: :mcc: = 1", "block if :mcc: ==== 1", "block if :mcc: =! 1",
        "block if :mcc: in @", "block if :mcc: in @@a", "block if :mcc: in @a.b",
        "block if @a in @b",
        "block if :mcc: in @\u0430", "block if :mcc: in (@a)", "block if :mcc: in @a, @b",
        "block if :weekend: in @a", "block if :mcc: in @" + "a" * 65, "block if :ip: like '10.%'",
        "block if :mcc: in @a" + " or :mcc: in @" * 100, "block if (:mcc: = 1) in @a",
        "block if :mcc: = 1; drop table rules", "block if :mcc: = 1 -- comment",
        "block if :mcc: = 1 /* comment */", "block if ${jndi:ldap://a}", "block if {{ 7 * 7 }}",
        "block if __import__('os')", "block if :mcc.__class__: = 1", "block if :__class__: = 1",
        "block if ::score:: > 1", "block if :card: = '4242 4242 4242 4242'",
        "# a: 4242424242424242\nblock if true", "block if ::x:: = 4242424242424242",
        "block if :mcc: in (:risk:)", "block if :mcc: in ()", "block if :mcc: in (1,)",
        "block if :mcc: = (:risk: = 1)", "block if (:mcc: = 1) + 1 = 2", "block if not", "not",
        "block\tif\t:mcc:\t=\t\t1 ?", "block if :mcc:\n= 1", "block if (\n:mcc: = 1)",
        "block if :id: like '" + "%a" * 300 + "' and :email: like 'x'", "BLOCK IF :MCC: = 1",
    ]  # fmt: skip
    looks = [f"bl{c}ck if :mcc: = 1" for c in LOOK_ALIKES] + [
        f"block if :mcc: {c} 1" for c in SIGNS
    ]
    unseen = [f"block if :id: = 'a{c}b'" for c in UNSEEN] + [
        f"bl{c}ock if :mcc: = 1" for c in UNSEEN
    ]
    characters = "block if :mcc: = 1()\"'#@\\,<>!&|\0€\n" + LOOK_ALIKES
    noise = ["".join(random.choices(characters, k=random.randint(1, 1_900))) for _ in range(30)]
    return [*nesting, *sizes, *numbers, *unclosed, *other, *looks, *unseen, *noise]
