"""The charge: one attempt to pay by card, to be scored."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.fields import (
    Amount,
    CategoryCode,
    Country,
    CurrencyInAnyCase,
    Identifier,
    Text,
    Timestamp,
)

Check = Literal["pass", "fail", "unchecked"]


SHARED_FIELDS = ("device", "ip", "email")
"""Fields of what charges of many cards share."""


class Charge(Struct, frozen=True, gc=False):
    """One charge attempt, keyed by card on the topic `charges`.

    An optional field that is missing, null, an empty string or of a value it cannot have is `None`.
    Case does not matter in the currency, the countries, the payment method and where values are
    listed. `mcc` may be a text, and `three_d_secure`, too.
    """

    id: Annotated[Identifier, Meta(description="unique charge id")]
    created: Annotated[Timestamp, Meta(description="event time, Unix seconds")]
    amount: Annotated[
        Amount,
        Meta(
            description="minor units of `currency` (1999 = $19.99; JPY has no minor unit); 0 is a "
            "card verification"
        ),
    ]
    currency: Annotated[CurrencyInAnyCase, Meta(description="ISO 4217; lower case on `scored`")]
    card: Annotated[
        Identifier, Meta(description="the card's token or fingerprint; never a card number")
    ]
    merchant: Annotated[Identifier, Meta(description="the merchant account")]
    mcc: Annotated[CategoryCode | None, Meta(description="merchant category code")] = None
    merchant_country: Annotated[
        Country | None, Meta(description="the merchant's country, ISO 3166-1 alpha-2")
    ] = None
    card_country: Annotated[
        Country | None, Meta(description="the card issuer's country, ISO 3166-1 alpha-2")
    ] = None
    ip_country: Annotated[
        Country | None, Meta(description="the IP address's country, ISO 3166-1 alpha-2")
    ] = None
    funding: Annotated[
        Literal["credit", "debit", "prepaid"] | None, Meta(description="how the card is funded")
    ] = None
    channel: Annotated[
        Literal["online", "in_person", "recurring"] | None,
        Meta(description="how the charge was made"),
    ] = None
    payment_method: Annotated[
        Text | None, Meta(description="`card` (default), `sepa_debit`, ...")
    ] = None
    device: Annotated[Text | None, Meta(description="token or hash of the device")] = None
    ip: Annotated[Text | None, Meta(description="token or hash of the IP address")] = None
    email: Annotated[Text | None, Meta(description="token or hash of the e-mail address")] = None
    cvc_check: Annotated[Check | None, Meta(description="the card verification code's check")] = (
        None
    )
    postal_check: Annotated[Check | None, Meta(description="the postal code's check")] = None
    three_d_secure: Annotated[
        bool | None, Meta(description="whether 3-D Secure authenticated the cardholder")
    ] = None
