"""The messages of mistakes as they are kept in a file: run it to write them again, then read it."""

from __future__ import annotations

from pathlib import Path

from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import parse

FILE = Path(__file__).with_name("mistakes.txt")
CUT = "=" * 100 + "\n"
TOLD = "-" * 100 + "\n"


def texts_in(document: str) -> list[str]:
    """Return the texts of rules in the file, each with a newline at its end."""
    return [part.partition(TOLD)[0] for part in document.split(CUT)]


def with_messages(document: str) -> str:
    """Return the file with what is told of each of its texts now."""
    return CUT.join(f"{text}{TOLD}{told_of(text)}\n" for text in texts_in(document))


def told_of(text: str) -> str:
    try:
        parse(text)
    except RuleErrors as errors:
        return str(errors)
    return "nothing is wrong"


if __name__ == "__main__":
    FILE.write_text(with_messages(FILE.read_text(encoding="utf-8")), encoding="utf-8")
