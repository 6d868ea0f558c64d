"""The table of payment methods: the fields, actions, costs and times of the charges of each.

All cards are one method, `card`, with all fields and actions, and the costs and times that are set
for the installation. So is a method that is not in the table: nothing is known of it, and its name
may be one of a card's.

How long a debit can be disputed is by the rulebook of the SEPA Direct Debit Core scheme: a payer
gets a refund without a reason for eight weeks, and for thirteen months of a debit that was not
authorised, of which banks have 30 days and four banking days more to decide. Most come in the eight
weeks, so silence past them, and the days that banks take, is a negative. A bank redirect is a
transfer that the payer makes: no scheme lets it be disputed, and what is known of its frauds are
reports of banks and verdicts of analysts, which have no term. A wallet's payment can be disputed as
a card's. Neither has a challenge: bank and wallet have asked the payer already.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from schemas.payment_methods import is_card_method, method_name
from schemas.scored import Action

CARD: Final = "card"

CardField = Literal["funding", "card_country", "cvc_check", "postal_check", "three_d_secure"]
CARD_FIELDS: Final[tuple[CardField, ...]] = get_args(CardField)
"""Fields of a charge that tell of its card; the last three are checks."""

ALL_ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
_ALWAYS: Final = ("allow", "block")

METHODS_MAX: Final = 32
"""Of a table."""


class MethodError(ValueError):
    """A table of methods cannot be as it is told; the message names what cannot."""


class PaymentMethod(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table.

    Attributes
    ----------
    name
        Of the method, as `schemas.payment_methods.method_name` gives it.
    aliases
        Other names of it, and of what is treated as it is.
    card_fields
        Those of `CARD_FIELDS` that its charges have. That another one is missing says nothing.
    actions
        What can be done with its charges; of what else would be done, that of least cost is.
    label_horizon_days, dispute_retention_days
        As the settings of these names, which hold where it is `None`.
    costs
        In place of those of the installation and of the merchant.
    """

    name: str
    aliases: tuple[str, ...] = ()
    card_fields: tuple[CardField, ...] = CARD_FIELDS
    actions: tuple[Action, ...] = ALL_ACTIONS
    label_horizon_days: Annotated[float, Meta(gt=0, le=400)] | None = None
    dispute_retention_days: Annotated[float, Meta(gt=0, le=500)] | None = None
    costs: Mapping[str, float] = {}

    @property
    def has_own_times(self) -> bool:
        """Whether it has a horizon or a retention of its own."""
        return (self.label_horizon_days, self.dispute_retention_days) != (None, None)


_NO_CHALLENGE: Final[tuple[Action, ...]] = ("allow", "review", "block")

METHODS: Final = (
    PaymentMethod(
        name="sepa_debit",
        aliases=("sepa", "sepa_direct_debit", "sepadirectdebit", "sdd"),
        card_fields=(),
        actions=_NO_CHALLENGE,
        label_horizon_days=60.0,
        dispute_retention_days=435.0,
    ),
    PaymentMethod(
        name="wallet",
        aliases=("paypal", "alipay", "alipay_plus", "wechat_pay", "wechatpay", "cashapp",
                 "cash_app", "amazon_pay", "amazonpay", "venmo", "revolut_pay", "grabpay", "gcash"),
        card_fields=(),
        actions=_NO_CHALLENGE,
    ),
    PaymentMethod(
        name="bank_redirect",
        aliases=("ideal", "sofort", "giropay", "eps", "bancontact", "p24", "przelewy24", "blik",
                 "fpx", "trustly", "pay_by_bank", "paybybank", "online_banking"),
        card_fields=(),
        actions=_NO_CHALLENGE,
    ),
)  # fmt: skip
"""The methods that are known beside cards."""

_AS_CARD: Final = PaymentMethod(name=CARD)


def method_of(methods: Sequence[PaymentMethod], name: str | None) -> PaymentMethod:
    """Return the row of a charge's method: that of `card` for one that is in no other.

    >>> method_of(METHODS, "SEPA Debit").actions
    ('allow', 'review', 'block')
    >>> [method_of(METHODS, name).name for name in ("Visa", "boleto", None)]
    ['card', 'card', 'card']
    """
    if name is None or is_card_method(name):
        return _AS_CARD
    known = method_name(name)
    found = (method for method in methods if known in (method.name, *method.aliases))
    return next(found, _AS_CARD)


def methods_of(table: Mapping[str, object]) -> tuple[PaymentMethod, ...]:
    """Return the methods that are known, as a table of settings changes them and adds to them.

    Parameters
    ----------
    table
        By the name of a method, what is other than in `METHODS`; of one that is not there, other
        than of `card`.

    Raises
    ------
    MethodError
        When one of them cannot be, or there are more than `METHODS_MAX`. Costs are not checked.

    Examples
    --------
    >>> debit, *_ = methods_of({"sepa_debit": {"label_horizon_days": 90}})
    >>> debit.label_horizon_days, debit.dispute_retention_days
    (90.0, 435.0)
    >>> methods_of({"card": {"actions": ["allow", "block"]}})
    Traceback (most recent call last):
    schemas.method_table.MethodError: card: is what the settings outside of this table say
    """
    methods = {method.name: method for method in METHODS}
    for name, told in table.items():
        if not name or method_name(name) != name:
            raise MethodError(f"{name!r}: expected lower case, and underscores between words")
        if is_card_method(name):
            raise MethodError(f"{name}: is what the settings outside of this table say")
        if alias_of := next((each.name for each in METHODS if name in each.aliases), None):
            raise MethodError(f"{name}: is another name of {alias_of}")
        methods[name] = _changed(methods.get(name, PaymentMethod(name=name)), told)
    if len(methods) > METHODS_MAX:
        raise MethodError(f"{len(methods)} methods: expected at most {METHODS_MAX}")
    return tuple(methods.values())


def _changed(method: PaymentMethod, told: object) -> PaymentMethod:
    if not isinstance(told, dict):
        raise MethodError(f"{method.name}: expected a table, got {told!r}")
    if fixed := told.keys() & {"name", "aliases"}:
        raise MethodError(f"{method.name}.{min(fixed)}: cannot be set")
    try:
        changed = msgspec.convert(msgspec.structs.asdict(method) | told, PaymentMethod)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = f"{method.name}.{place[:-1]}" if place else method.name
        raise MethodError(f"{name}: {what[0].lower()}{what[1:]}") from None
    if missing := set(_ALWAYS).difference(changed.actions):
        raise MethodError(f"{method.name}.actions: expected {min(missing)} among them")
    return changed
