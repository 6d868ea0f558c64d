"""The dispute: a label for a charge, usually days later."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.fields import Identifier, Text, Timestamp

FRAUDULENT: Final = "fraudulent"


class Dispute(Struct, frozen=True, gc=False):
    """A dispute or an issuer's early fraud warning, keyed by card on the topic `disputes`."""

    id: Annotated[Text, Meta(description="unique dispute id")]
    charge: Annotated[Identifier, Meta(description="the charge it is about")]
    card: Annotated[Identifier, Meta(description="the card of that charge")]
    merchant: Annotated[Identifier, Meta(description="the merchant of that charge")]
    created: Annotated[Timestamp, Meta(description="when it arrived, Unix seconds")]
    reason: Annotated[
        str,
        Meta(
            min_length=0,
            max_length=1024,
            description="`fraudulent` is a fraud label; any other reason is counted but is no "
            "fraud label",
        ),
    ]

    @property
    def is_fraud(self) -> bool:
        """Whether this dispute labels its charge as fraud."""
        return self.reason == FRAUDULENT
