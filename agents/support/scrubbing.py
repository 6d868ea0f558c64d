"""Text without what may be private: only words that can be nothing else are left.

Names of cards, merchants and entities are a company's own, so none can be told by its form. What
stays is a list of what may: plain words and short numbers outside of quotes, and names that are
known. All else becomes an ellipsis.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from schemas.card_numbers import mask

if TYPE_CHECKING:
    from collections.abc import Collection

GONE: Final = "…"

_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
_WORD: Final = re.compile(r"[^\s,;()\[\]{}=<>|]+")
_MAY_STAY: Final = re.compile(r"[A-Za-z]{1,20}[.:!?…]?|[-+]?\d{1,8}(\.\d{1,6})?[.:%]?|[-:+./&*…]+")
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}([.,]\d{1,6})?")
_SAMPLE: Final = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r"(?P<label>[a-zA-Z_]\w*)=\"(?P<value>(?:[^\"\\]|\\.)*)\"")


def scrubbed_line(line: str, known: Collection[str]) -> str:
    """Return a line of a log.

    >>> scrubbed_line("2026-11-30 12:00:00,123 WARNING agents: card tok_9x of ann@example.org, "
    ...               "'johndoe' at 10.0.0.7:9092: 3 times", {"agents"})
    '2026-11-30 12:00:00,123 WARNING agents: card … of …, … at … 3 times'
    """
    parts = _QUOTED.sub(GONE, mask(line))
    return _WORD.sub(lambda found: scrubbed_word(found[0], known), parts)


def scrubbed_word(word: str, known: Collection[str]) -> str:
    """Return a word, or the ellipsis.

    >>> [scrubbed_word(word, {"charges.rejected"}) for word in
    ...  ("charges.rejected:", "4242424242424242", "cafe::1", "12.5", "ch_1", "restored")]
    ['charges.rejected:', '…', '…', '12.5', '…', 'restored']
    """
    if _MAY_STAY.fullmatch(word) or _TIME.fullmatch(word) or word.rstrip(".:") in known:
        return word
    return GONE


def scrubbed_metrics(page: str, known: Collection[str]) -> str:
    r"""Return a page of metrics without their help, with only labels that may stay.

    >>> scrubbed_metrics('# HELP a b\na{topic="charges",client="ann@example.org"} 3.0\n', {"a"})
    'a{topic="charges",client="…"} 3.0\n'
    """
    lines = [_scrubbed_sample(line, known) for line in page.splitlines() if line[:1] != "#"]
    return "".join(f"{line}\n" for line in lines if line)


def _scrubbed_sample(line: str, known: Collection[str]) -> str:
    sample = _SAMPLE.fullmatch(line)
    if sample is None or not re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?|NaN|[-+]?Inf", sample["value"]):
        return ""
    if sample["labels"] is None:
        return f"{sample['name']} {sample['value']}"
    labels = ",".join(
        f'{found["label"]}="{scrubbed_word(found["value"], known)}"'
        for found in _LABEL.finditer(sample["labels"])
    )
    return f"{sample['name']}{{{labels}}} {sample['value']}"
