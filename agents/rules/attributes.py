"""The one table of attributes: what a rule can ask of a charge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import inspect

from agents.rules.figures import BANDS_EUR, FRAUD_RATE_DAYS, OF_EUROS, OF_FRAUD_RATES
from schemas.charge import Charge
from schemas.currency import is_currency
from schemas.fields import COUNTRIES
from schemas.scored import Scored
from streams.durations import MINUTE_S
from streams.events.rows import CHANNEL, CHECK, FUNDING
from streams.features.entities import FEATURES

if TYPE_CHECKING:
    from agents.rules.nodes import Type
    from streams.features.spec import Feature

OTHER_COUNTRY: Final = "OTHER"
"""Stands for every country code with a digit: rows tell them from none, but not from each other."""

METHODS: Final = ("card", "other")
"""Payment methods, as far as rows tell them apart."""

RESERVED: Final = frozenset({*Charge.__struct_fields__, *Scored.__struct_fields__})
"""Names that no metadata has: fields of the charge, and those that a scored charge has itself."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Which texts an attribute can be.

    Attributes
    ----------
    expected
        The same in words.
    fold
        Gives a text the case in which the attribute has it.
    is_one
        Whether a text in that case is one of them.
    choices
        All of them, where there are few.
    """

    expected: str
    fold: Callable[[str], str]
    is_one: Callable[[str], bool]
    choices: tuple[str, ...] = ()


def _choices(values: tuple[str, ...]) -> Texts:
    return Texts(", ".join(values), str.lower, values.__contains__, values)


ANY: Final = Texts("a text", str, lambda _: True)
COUNTRY: Final = Texts(
    f"a country's two letters (ISO 3166-1), or {OTHER_COUNTRY} for any code with a digit",
    str.upper,
    {*COUNTRIES, OTHER_COUNTRY}.__contains__,
)
CURRENCY: Final = Texts("a currency's three letters (ISO 4217)", str.lower, is_currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute, `:name:`.

    Attributes
    ----------
    name
        Unique and stable.
    type
        Of its values.
    source
        Where they come from: the charge, the scores, the installation, or a feature, of whom or
        which.
    description
        What it is.
    words
        How it is called in a sentence.
    texts
        Of a text: which it can be.
    has_text
        Of a text: whether the text itself is at hand, which `like` needs, and not just its hash.
    is_token
        Whether its value stands for somebody, and is not written into sentences.
    form
        Of a number: how `format` writes it.
    """

    name: str
    type: Type
    source: str
    description: str
    words: str
    texts: Texts = ANY
    has_text: bool = True
    is_token: bool = False
    form: str = ".6g"


Attributes = Mapping[str, Attribute]
"""Attributes by their names."""


def _descriptions() -> dict[str, str]:
    """Return what the schema says of each field of a charge."""
    described = inspect.type_info(Charge)
    assert isinstance(described, inspect.StructType)
    of_fields = {}
    for field in described.fields:
        assert isinstance(field.type, inspect.Metadata)
        of_fields[field.name] = str((field.type.extra_json_schema or {})["description"])
    return of_fields


_DESCRIPTIONS: Final = _descriptions()


def _known(codes: Mapping[str | None, int]) -> Texts:
    return _choices(tuple(text for text in codes if text is not None))


def _text(name: str, words: str = "", texts: Texts = ANY, *, is_token: bool = False) -> Attribute:
    has_text = name not in {"device", "ip", "email"}  # of these, rows have the hash alone
    description = _DESCRIPTIONS[name]
    if not has_text:
        description += "; without `like`"
    return Attribute(
        name=name,
        type="text",
        source="charge",
        description=description,
        words=words or name.replace("_", " "),
        texts=texts,
        has_text=has_text,
        is_token=is_token,
    )


def _other(name: str, kind: Type, words: str, form: str = ".6g") -> Attribute:
    return Attribute(
        name=name,
        type=kind,
        source="charge",
        description=_DESCRIPTIONS[name],
        words=words,
        form=form,
    )


_OF_CHARGE: Final = (
    _text("id", "charge id"),
    _other("created", "number", "time of creation", form=".0f"),
    _other("amount", "number", "amount in minor units", form=".0f"),
    Attribute(name="amount_usd", type="number", source="charge", words="amount in US dollars",
              description="the amount at the rates of the installation", form=".2f"),
    Attribute(name=OF_EUROS, type="number", source="charge", words="amount in euros",
              description="the same in euros and whole cents", form=".2f"),
    _text("currency", texts=CURRENCY),
    _text("card", is_token=True),
    _text("merchant"),
    _other("mcc", "number", "merchant category"),
    _text("merchant_country", texts=COUNTRY),
    _text("card_country", texts=COUNTRY),
    _text("ip_country", texts=COUNTRY),
    _text("funding", texts=_known(FUNDING)),
    _text("channel", texts=_known(CHANNEL)),
    Attribute(name="payment_method", type="text", source="charge", words="payment method",
              description="`card` or a wallet with a card in it, or `other`",
              texts=_choices(METHODS)),
    _text("device", is_token=True),
    _text("ip", "IP address", is_token=True),
    _text("email", "e-mail address", is_token=True),
    _text("cvc_check", "CVC check", texts=_known(CHECK)),
    _text("postal_check", "postal code check", texts=_known(CHECK)),
    _other("three_d_secure", "boolean", "3-D Secure"),
)  # fmt: skip


def _band_words(place: int) -> str:
    above = f"above {BANDS_EUR[place - 1]} " if place else ""
    return f"{above}up to {BANDS_EUR[place]}"


_OF_SCORES: Final = (
    Attribute(name="score", type="number", source="score", words="score",
              description="calibrated probability of fraud, from 0 to 1"),
    Attribute(name="risk", type="number", source="score", words="risk",
              description="the score's place among those of recent charges, from 0 to 99"),
)  # fmt: skip

_OF_INSTALLATION: Final = tuple(
    Attribute(
        name=name,
        type="number",
        source="installation",
        description=f"value of fraud over value charged: remote card payments {_band_words(place)} "
        f"euros, {FRAUD_RATE_DAYS} days; share",
        words=f"fraud rate {_band_words(place)} euros",
    )
    for name, place in OF_FRAUD_RATES.items()
)


def _type_of(feature: Feature) -> Type:
    return "boolean" if feature.unit == "flag" else "number"


def _of_feature(feature: Feature) -> Attribute:
    before, brace, rest = feature.text.partition("{value")
    text = before + "…" + rest.partition("}")[2] if brace else feature.text
    kind = _type_of(feature)
    return Attribute(
        name=feature.name,
        type=kind,
        source=f"feature, {feature.scope}",
        description=text if kind == "boolean" else f"{text}; {feature.unit}",
        words=feature.name.replace("_", " "),
        form=".2f" if feature.unit == "reference currency" else ".6g",
    )


_IN_ONE_CASE: Final = tuple(
    dict.fromkeys(each.texts for each in _OF_CHARGE if each.type == "text" and each.texts != ANY)
)

_LONGEST: Final = max(len(one) for texts in _IN_ONE_CASE for one in (*texts.choices, OTHER_COUNTRY))
"""Characters of a text of theirs; a country or currency has fewer."""


def folded(text: str) -> set[str]:
    """Return what a text is in the case of the attributes that have one, where it can be theirs.

    Examples
    --------
    >>> folded("de"), sorted(folded("OTHER")), folded("tok_1")
    ({'DE'}, ['OTHER', 'other'], set())
    """
    if len(text) > _LONGEST or not text[:1].isalpha():  # as most tokens and all numbers are
        return set()
    return {one for texts in _IN_ONE_CASE if texts.is_one(one := texts.fold(text))}


OF_ADDRESS: Final = "ip"
"""The attribute that may be an IP address, which is looked for in ranges on a list."""

OF_AMOUNT: Final = "amount"
"""The feature that is no attribute by its name: `:amount:` is the field, and `:amount_usd:` it."""


@dataclass(frozen=True, slots=True)
class Derived:
    """An attribute that is a feature in another unit, or by the name that is asked for.

    Attributes
    ----------
    name
        Of the attribute.
    feature
        Of which it is made.
    divisor
        By which the feature is divided.
    description
        What it is.
    words
        How it is called in a sentence.
    """

    name: str
    feature: str
    divisor: float
    description: str
    words: str


DERIVED: Final[Mapping[str, Derived]] = MappingProxyType(
    {
        derived.name: derived
        for derived in (
            Derived("card_minutes_since_first_seen", "card_age", MINUTE_S,
                    "minutes since the card was first seen, 0 if it is now",
                    "minutes since the card was first seen"),
            Derived("card_new_to_merchant", "card_merchant_first", 1.0,
                    "this merchant is not among the 32 at which the card was last used",
                    "card new to the merchant"),
            Derived("merchant_minutes_since_first_seen", "merchant_age", MINUTE_S,
                    "minutes since the merchant was first seen, 0 if it is now",
                    "minutes since the merchant was first seen"),
        )
    }
)  # fmt: skip
"""All of them, by their names."""

_FEATURES: Final = {feature.name: feature for feature in FEATURES}


def _derived(derived: Derived) -> Attribute:
    feature = _FEATURES[derived.feature]
    return Attribute(
        name=derived.name,
        type=_type_of(feature),
        source=f"`{feature.name}`",
        description=derived.description,
        words=derived.words,
    )


ATTRIBUTES: Final[Attributes] = MappingProxyType(
    {
        attribute.name: attribute
        for attribute in (
            *_OF_CHARGE,
            *_OF_SCORES,
            *_OF_INSTALLATION,
            *(_of_feature(feature) for feature in FEATURES if feature.name != OF_AMOUNT),
            *map(_derived, DERIVED.values()),
        )
    }
)
"""All that there are, in the order of their table."""

_PARTS: Final = (_OF_CHARGE, _OF_SCORES, _OF_INSTALLATION, FEATURES, DERIVED)

assert len(ATTRIBUTES) == sum(map(len, _PARTS)) - 1, "no two have the same name"
