"""What a field's type expects, in words: the slow half of validation."""

import json
import re
from dataclasses import dataclass
from typing import Final, get_type_hints

import msgspec
from msgspec import inspect

from schemas.card_numbers import mask
from schemas.rejected import InvalidEvent, RejectReason

QUOTED_CHARACTERS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one field of an event type expects.

    Parameters
    ----------
    name
        The field's name.
    holder
        A struct with `content` of the field's type: what msgspec knows of a struct it keeps, of
        any other type it finds it out anew each time.
    form
        The same type without `None`, as msgspec describes it.
    words
        The type's own words for what it expects, where it has some.
    required
        Whether the field may not be missing.
    ignorable
        Whether a value that it cannot have counts as missing.
    hint_if_missing
        What to do about it then, where that is not plain.
    """

    name: str
    holder: type[msgspec.Struct]
    form: inspect.Type
    words: str | None
    required: bool
    ignorable: bool
    hint_if_missing: str = ""

    def normal(self, content: object) -> object:
        """Return content as it is meant: 1999.0 is an integer, and an empty optional text is none.

        "Credit" is credit. In an optional field also "5812" is an integer, and "TRUE" is true.
        """
        if isinstance(self.form, inspect.LiteralType) and isinstance(content, str) and content:
            return content.lower()
        if isinstance(self.form, inspect.IntType) and isinstance(content, float):
            return int(content) if content.is_integer() else content
        if isinstance(content, str) and not self.required:
            return self._read(content) if content else self._read_empty()
        return content

    def _read_empty(self) -> str | None:
        is_text = isinstance(self.form, inspect.StrType) and not self.form.min_length
        return "" if is_text else None

    def _read(self, text: str) -> object:
        match self.form:
            case inspect.IntType() if _NUMBER.fullmatch(text):
                return int(text)
            case inspect.BoolType():
                return _BOOLEANS.get(text.lower(), text)
            case _:
                return text

    def masked(self, content: object) -> object:
        """Return what counts of content with masked digits: no optional text, as many are alike."""
        is_text = isinstance(self.form, inspect.StrType)
        return None if is_text and self.ignorable else content

    def accepts(self, content: object) -> bool:
        """Whether normal content is valid."""
        try:
            msgspec.convert({"content": content}, self.holder)
        except msgspec.ValidationError:
            return False
        return True

    def check(self, content: object) -> None:
        """Refuse normal content that is not valid.

        Raises
        ------
        InvalidEvent
            With reason `missing`, `type` or `range`.
        """
        if content is None and self.required:
            raise self.missing()
        if not self.accepts(content):
            reason: RejectReason = "range" if self._has_right_type(content) else "type"
            found = self._found(content)
            raise InvalidEvent(reason, f"{self._expected(content)}, got {found}")

    def missing(self) -> InvalidEvent:
        """Return the error for a field that is not there."""
        hint = f"; {self.hint_if_missing}" if self.hint_if_missing else ""
        return InvalidEvent("missing", f"{self._expected(None)}, got none{hint}")

    def refuse(self, content: object) -> InvalidEvent:
        """Return the error for content of the right type that a rule beyond the type refuses."""
        return InvalidEvent("range", f"{self._expected(content)}, got {self._found(content)}")

    def _has_right_type(self, content: object) -> bool:
        match self.form:
            case inspect.IntType():
                return type(content) is int
            case inspect.FloatType():
                return type(content) in (int, float)
            case inspect.StrType() | inspect.LiteralType():
                return type(content) is str
            case _:
                return False

    def _expected(self, content: object) -> str:
        return f"{self.name}: expected {self.words or _words(self.form, content)}"

    def _found(self, content: object) -> str:
        """Describe what was found. The content of free text is not quoted: it may be a token."""
        if isinstance(self.form, inspect.StrType) and self.words is None:
            if isinstance(content, str):
                return f"{len(content)} characters" if content else "an empty string"
            return kind(content)
        return quoted(content)


def expectations(
    event_type: type[msgspec.Struct], *, ignores_optional: bool
) -> tuple[Expectation, ...]:
    """Return what each field of an event type expects, in their order.

    Parameters
    ----------
    event_type
        The type.
    ignores_optional
        Whether an optional field with a value that it cannot have counts as missing.
    """
    described = inspect.type_info(event_type)
    assert isinstance(described, inspect.StructType)
    hints = get_type_hints(event_type, include_extras=True)
    return tuple(
        Expectation(
            field.name,
            msgspec.defstruct("Holder", [("content", hints[field.name])]),
            *_form(field.type),
            field.required,
            ignores_optional and not field.required,
            _hint(field.type),
        )
        for field in described.fields
    )


def kind(content: object) -> str:
    """Return what kind of JSON a parsed value is.

    Examples
    --------
    >>> kind([1]), kind(None), kind(True)
    ('an array', 'null', 'a boolean')
    """
    return _KINDS[type(content)]


def quoted(content: object) -> str:
    """Return a parsed value as JSON, without card numbers and cut where it is long.

    Examples
    --------
    >>> quoted(-5), quoted("x" * 50), quoted({"a": 1})
    ('-5', '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... (50 characters)', 'an object')
    """
    if isinstance(content, (dict, list)):
        return kind(content)
    # Before it is encoded: the digits of an escape would make another number of it.
    content = mask(content) if isinstance(content, str) else content
    if isinstance(content, float) and content.is_integer():
        content = int(content)  # an exponent would hide a card number from whoever masks the text
    text = json.dumps(content, ensure_ascii=False)
    if len(text) <= QUOTED_CHARACTERS_MAX:
        return text
    length = len(content) if isinstance(content, str) else len(text)
    return f"{text[:QUOTED_CHARACTERS_MAX]}... ({length} characters)"


_NUMBER: Final = re.compile("[0-9]{1,20}")
_BOOLEANS: Final = {"true": True, "false": False}
_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def _form(described: inspect.Type) -> tuple[inspect.Type, str | None]:
    """Return a described type without annotations and `None`, and the words annotated to it."""
    words = None
    while isinstance(described, (inspect.Metadata, inspect.UnionType)):
        if isinstance(described, inspect.UnionType):
            described = described.types[0]
        else:
            words = (described.extra or {}).get("expected", words)
            described = described.type
    return described, words


def _hint(described: inspect.Type) -> str:
    """Return what a type says is to be done where it is missing."""
    extra = described.extra if isinstance(described, inspect.Metadata) else None
    return str((extra or {}).get("missing", ""))


def _integer_words(form: inspect.IntType, content: object) -> str:
    if form.le is not None and type(content) is int and content > form.le:
        return f"an integer of at most {form.le}"
    return f"an integer of at least {form.ge}"


def _words(form: inspect.Type, content: object) -> str:
    match form:
        case inspect.IntType():
            return _integer_words(form, content)
        case inspect.FloatType(ge=least):
            return f"a number of at least {least}"
        case inspect.StrType(min_length=shortest, max_length=longest):
            return f"a string of {shortest} to {longest} characters"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.BoolType():
            return "true or false"
        case _:
            raise AssertionError(f"no words for {form}")
