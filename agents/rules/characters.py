"""Characters that a rule may not have, and those that only look like the ones it has."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from agents.rules.mistakes import Flaw, Span
from schemas.card_numbers import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_ALIKES: Final = str.maketrans(
    {
        **dict(
            zip(
                "асеһіјкӏмноорѕтухԁԛԝѵАВСЕНІЈКМОРЅТУХαικνορτυχΑΒΕΗΙΚΜΝΟΡΤΥΧΖı",
                "acehijklmhoopstyxdqwvABCEHIJKMOPSTYXaikvoptuxABEHIKMNOPTYXZi",
                strict=True,
            )
        ),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’‚", "'"),  # noqa: RUF001
        **dict.fromkeys("–—−", "-"),  # noqa: RUF001
        **dict.fromkeys("÷⁄∕", "/"),  # noqa: RUF001
        "×": "*",  # noqa: RUF001
        "∶": ":",  # noqa: RUF001
    }
)
"""Letters of other alphabets and signs of word processors, each with what it is taken for."""

_MEANT: Final = {"≠": "!=", "≤": "<=", "≥": ">=", "¬": "not", "∧": "and", "∨": "or", "∈": "in"}  # noqa: RUF001


def unprintable(line: str) -> Iterator[Flaw]:
    r"""Tell characters that cannot be seen, or that change the order of what is seen.

    Examples
    --------
    >>> next(unprintable("block if :email: = 'a\u202e'")).message
    'U+202E (RIGHT-TO-LEFT OVERRIDE) cannot be seen'
    """
    if line.replace("\t", " ").isprintable():
        return
    for place, character in enumerate(line):
        if not character.isprintable() and character != "\t":
            code = ord(character)
            is_space = character.isspace() and code > ord(" ")
            yield Flaw(
                Span(place, place + 1),
                f"U+{code:04X}{_name(character)} cannot be seen",
                "write a plain space" if is_space else f"in a text, write \\u{{{code:x}}}",
            )


def card_number(line: str) -> Iterator[Flaw]:
    """Tell what looks like a card number: rules are kept and shown, where none belongs.

    Examples
    --------
    >>> next(card_number("block if :card: = '4242424242424242'")).at
    Span(start=19, stop=35)
    """
    masked = mask(line)
    places = [n for n, (one, other) in enumerate(zip(line, masked, strict=True)) if one != other]
    if places:
        yield Flaw(
            Span(places[0], places[-1] + 1),
            "this looks like a card number, which no rule may hold",
            "name the card's token",
        )


def look_alike(character: str) -> Flaw | None:
    """Tell what a character that is not ASCII is taken for, wherever it stands.

    Examples
    --------
    >>> flaw = look_alike("\N{FULLWIDTH EQUALS SIGN}")
    >>> flaw.message, flaw.suggestion
    ("'＝' (FULLWIDTH EQUALS SIGN) has no meaning outside of quotes", 'did you mean =?')
    """  # noqa: RUF002
    if character.isascii():
        return None
    plain = unicodedata.normalize("NFKC", character).translate(_LOOK_ALIKES)
    meant = _MEANT.get(character) or (plain if plain.isascii() and plain.strip() else None)
    return Flaw(
        Span(0, 1),
        f"{character!r}{_name(character)} has no meaning outside of quotes",
        f"did you mean {meant}?" if meant else "",
    )


def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    return f" ({name})" if name else ""
