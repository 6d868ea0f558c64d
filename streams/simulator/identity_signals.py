"""What a charge shows of who made it: device, address, e-mail and checks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.simulator.cards import Cards
from streams.simulator.randomness import fresh_tokens, pick
from streams.simulator.rows import MISSING, Channel, Check, Rows

_ODD_DEVICE_SHARE = 0.03
_SECOND_DEVICE_SHARE = 0.2
_MOBILE_SHARE = 0.3
_VPN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Disguise:
    """How well a fraudster passes for the holder, as shares of the charges.

    Parameters
    ----------
    local
        Address in the card's own country, through a proxy.
    cvc_pass, postal_pass
        Checks passed; of the others, most fail and some are not made.
    own_email
        The holder's e-mail address is given.
    own_device
        The charge comes from the holder's device or its perfect copy.
    """

    local: float
    cvc_pass: float
    postal_pass: float
    own_email: float
    own_device: float = 0.0


def show_holder(rng: np.random.Generator, rows: Rows, cards: Cards) -> None:
    """Fill in what genuine charges show, in place; `channel` must be set.

    Holders too use borrowed devices, travel, hide behind a VPN and mistype their postal code.
    """
    where = np.flatnonzero(rows["channel"] == Channel.ONLINE)
    card, time = rows["card"][where], rows["created"][where]
    count = len(where)
    which = (rng.random(count) < _SECOND_DEVICE_SHARE).astype(np.int64)
    odd = (rng.random(count) < _ODD_DEVICE_SHARE) | cards.private[card]
    elsewhere = cards.vpn[card] & (rng.random(count) < _VPN_SHARE)
    mobile = rng.random(count) < _MOBILE_SHARE
    location = cards.location(card, time)
    away = mobile | elsewhere | (location != cards.country[card])
    random_country = rng.choice(cards.destinations, size=count)
    rows["device"][where] = np.where(
        odd, fresh_tokens(rng, count), cards.own_device(card, time, which)
    )
    rows["ip"][where] = np.where(away, fresh_tokens(rng, count), cards.home_ip(card, time))
    rows["ip_country"][where] = np.where(elsewhere, random_country, location)
    rows["email"][where] = np.where(
        rng.random(count) < 0.03, fresh_tokens(rng, count), cards.own_email(card)
    )
    rows["cvc_check"][where] = _checks(rng, count, (0.80, 0.015, 0.185))
    rows["postal_check"][where] = _checks(rng, count, (0.84, 0.05, 0.11))
    rows["three_d_secure"][where] = rng.random(count) < 0.22


def show_fraudster(
    rng: np.random.Generator, rows: Rows, cards: Cards, disguise: Disguise, devices: int
) -> None:
    """Fill in what one fraudster's charges show, in place; `channel` must be set.

    Parameters
    ----------
    devices
        Devices (and addresses) that the charges are spread over.
    """
    where = np.flatnonzero(rows["channel"] == Channel.ONLINE)
    card, time = rows["card"][where], rows["created"][where]
    count = len(where)
    used = rng.integers(devices, size=count)
    local = rng.random(count) < disguise.local
    base = np.full(count, rng.choice(cards.destinations))
    own_device = rng.random(count) < disguise.own_device
    own_email = rng.random(count) < disguise.own_email
    first = np.zeros(count, dtype=np.int64)
    rows["device"][where] = np.where(
        own_device, cards.own_device(card, time, first), fresh_tokens(rng, devices)[used]
    )
    rows["ip"][where] = fresh_tokens(rng, devices)[used]
    rows["ip_country"][where] = np.where(local, cards.country[card], base)
    rows["email"][where] = np.where(own_email, cards.own_email(card), fresh_tokens(rng, count))
    rows["cvc_check"][where] = _checks(rng, count, _shares(disguise.cvc_pass))
    rows["postal_check"][where] = _checks(rng, count, _shares(disguise.postal_pass))
    rows["three_d_secure"][where] = rng.random(count) < 0.05


def show_stored_card(rows: Rows, cards: Cards) -> None:
    """Fill in what a recurring charge shows, in place: nobody is present."""
    rows["channel"] = Channel.RECURRING
    rows["email"] = cards.own_email(rows["card"])
    rows["ip_country"] = MISSING
    rows["cvc_check"] = Check.UNCHECKED


def _shares(passed: float) -> tuple[float, float, float]:
    return passed, 0.6 * (1.0 - passed), 0.4 * (1.0 - passed)


def _checks(
    rng: np.random.Generator, count: int, shares: tuple[float, float, float]
) -> npt.NDArray[np.int64]:
    return pick(rng, np.cumsum(shares), count)
