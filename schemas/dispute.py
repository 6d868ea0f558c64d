"""The dispute: a label for a charge, usually days later."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.dispute_reasons import is_fraud_reason
from schemas.fields import Identifier, Text, Timestamp

FRAUDULENT: Final = "fraudulent"

_TEXT: Final = "a string of at most 1024 characters, or a number"
_FROM_THE_CHARGE: Final = (
    "add it as it is in the charge that is disputed, which is found by its id among the charges, "
    "or as `charge` on the topic `scored`"
)


class Dispute(Struct, frozen=True, gc=False):
    """A dispute or an issuer's early fraud warning, keyed by card on the topic `disputes`.

    It has a `reason`, a `fraud_type`, or both.
    """

    id: Annotated[Text, Meta(description="unique dispute id")]
    charge: Annotated[Identifier, Meta(description="the charge it is about")]
    card: Annotated[
        Identifier, Meta(description="the card of that charge", extra={"missing": _FROM_THE_CHARGE})
    ]
    merchant: Annotated[
        Identifier,
        Meta(description="the merchant of that charge", extra={"missing": _FROM_THE_CHARGE}),
    ]
    created: Annotated[Timestamp, Meta(description="when it arrived, Unix seconds")]
    reason: Annotated[
        Annotated[str, Meta(min_length=0, max_length=1024)] | float | None,
        Meta(
            description="`fraudulent`, a network's fraud code or a provider's word for fraud (the "
            "table is in the README) is a fraud label; any other reason is counted but is no fraud "
            "label",
            extra={"expected": f"{_TEXT}; or the fraud_type of an early warning"},
        ),
    ] = None
    fraud_type: Annotated[
        Text | float | None,
        Meta(
            description="the type of fraud of an early warning: any is a fraud label",
            extra={"expected": _TEXT},
        ),
    ] = None

    @property
    def is_fraud(self) -> bool:
        """Whether this dispute labels its charge as fraud."""
        return self.fraud_type is not None or (
            self.reason is not None and is_fraud_reason(_as_text(self.reason))
        )


def _as_text(reason: str | float) -> str:
    """Return a code that was sent as a number as it is written: 4837 and 10.4."""
    return f"{reason:g}" if isinstance(reason, (int, float)) else reason
