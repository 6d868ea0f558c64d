"""Files of rules: a text is read as a whole, or refused with all that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import RuleSet, parse
from streams.errors import OperationalError
from streams.events.files import FileError

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1
"""Of rules in a file, as scored charges tell it: the first that is put in force has it."""


class RulesFileError(OperationalError):
    """A text of rules that cannot be used, with all that is wrong with it."""


def read_rules(file: Path) -> RuleSet:
    """Read the rules of a file; raises as `read_text` and `parsed` do."""
    return parsed(file, read_text(file))


def read_text(file: Path) -> str:
    """Read a text of rules.

    Raises
    ------
    FileError
        When it cannot be read.
    RulesFileError
        When it is no text.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RulesFileError(f"{file}: is no UTF-8 text ({error.reason})") from None


def parsed(file: Path, text: str) -> RuleSet:
    """Return the rules of a text that was read from a file.

    Raises
    ------
    RulesFileError
        When anything in it is wrong, with all that is.
    """
    try:
        return parse(text)
    except RuleErrors as error:
        count = len(error.mistakes)
        mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
        raise RulesFileError(f"{file}: {mistakes}\n\n{error}") from None


def active_rules(merchant: str, file: Path | None) -> ActiveRules:
    """Return the rules of a file as they are in force where no others are; none of no file.

    Raises
    ------
    OperationalError
        As `read_rules`.
    """
    if file is None:
        return ActiveRules()
    return ActiveRules({merchant: MerchantRuleSet(merchant, VERSION, read_rules(file))})
