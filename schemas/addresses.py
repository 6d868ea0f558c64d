"""IP addresses and ranges of them as numbers, where a text is one; tokens and hashes are none.

An IPv4 address is its 32 bits (RFC 791), and so is one that is mapped to IPv6 (`::ffff:10.0.0.1`,
RFC 4291, section 2.5.5.2). Another IPv6 address is its upper 64 bits: the network that it is in. In
`::/32`, which is reserved, there is no other network, so that no number is of both kinds.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple

IPV6_BITS_MAX: Final = 64
"""Of the prefix of an IPv6 range; what is behind them is no part of the number."""

_IPV6_FROM: Final = 1 << 32
_LENGTH_MAX: Final = 45
_MAPPED: Final = bytes(10) + b"\xff\xff"
_MAPPED_BITS: Final = 96
_CHARACTERS: Final = re.compile(r"[0-9A-Fa-f:.]+")
_RANGE: Final = re.compile(r"([0-9A-Fa-f:.]{2,45})/([0-9]{1,3})")


class AddressRange(NamedTuple):
    """The addresses whose numbers are, in the bits of `mask`, `number`."""

    number: int
    mask: int
    is_ipv6: bool


def address_of(text: str | None) -> int:
    """Return the number of an address, 0 for what is none and for one that has none.

    Examples
    --------
    >>> [address_of(text) for text in ("10.0.0.1", "::ffff:10.0.0.1", "ip_7f3a", "::1", None)]
    [167772161, 167772161, 0, 0, 0]
    >>> hex(address_of("2001:db8::1"))
    '0x20010db800000000'
    """
    if text is None:
        return 0
    # Hashes and most tokens have neither, and this is all that they cost.
    if ":" in text:
        return _ipv6(text)
    return _ipv4(text) if "." in text else 0


def is_ipv6(number: int) -> bool:
    """Whether the number of an address is that of an IPv6 address."""
    return number >= _IPV6_FROM


def range_of(text: str) -> AddressRange | None:
    """Return the range that a text is, `None` where it is none.

    An IPv4 address alone is a range of one. An IPv6 address alone is none, as its number does not
    tell it from its neighbours.

    Raises
    ------
    ValueError
        When it is no range that numbers tell: of an IPv6 network of more than 64 bits, or an
        address within a range.

    Examples
    --------
    >>> range_of("10.0.0.0/8"), range_of("tok_1"), range_of("2001:db8::1")
    (AddressRange(number=167772160, mask=4278190080, is_ipv6=False), None, None)
    >>> range_of("2001:db8::/96")
    Traceback (most recent call last):
    ValueError: expected at most /64 in an IPv6 range, got /96
    >>> range_of("10.1.2.3/8")
    Traceback (most recent call last):
    ValueError: 10.1.2.3/8 is an address within a range: did you mean 10.0.0.0/8?
    """
    if "/" in text:
        return _range(text)
    number = address_of(text)
    return AddressRange(number, 0xFFFFFFFF, False) if 0 < number < _IPV6_FROM else None


def _ipv4(text: str) -> int:
    if len(text) > _LENGTH_MAX or not _CHARACTERS.fullmatch(text):
        return 0
    try:
        return int.from_bytes(inet_pton(AF_INET, text))
    except OSError:
        return 0


def _ipv6(text: str) -> int:
    if len(text) > _LENGTH_MAX or not _CHARACTERS.fullmatch(text):
        return 0
    try:
        packed = inet_pton(AF_INET6, text)
    except OSError:
        return 0
    if packed.startswith(_MAPPED):
        return int.from_bytes(packed[12:])
    network = int.from_bytes(packed[:8])
    return network if is_ipv6(network) else 0


def _range(text: str) -> AddressRange | None:
    found = _RANGE.fullmatch(text)
    if not found or not _is_address(found[1]):
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"there is no range {text}: /{found[2]} has too many bits") from None
    if network.network_address != ip_network(found[1]).network_address:
        raise ValueError(f"{text} is an address within a range: did you mean {network}?")
    if isinstance(network, IPv4Network):
        return AddressRange(int(network.network_address), int(network.netmask), False)
    return _ipv6_range(network)


def _ipv6_range(network: IPv6Network) -> AddressRange:
    mapped, bits = network.network_address.ipv4_mapped, network.prefixlen
    if mapped and bits >= _MAPPED_BITS:
        mask = IPv4Network(f"0.0.0.0/{bits - _MAPPED_BITS}").netmask
        return AddressRange(int(mapped), int(mask), False)
    if bits > IPV6_BITS_MAX:
        raise ValueError(f"expected at most /{IPV6_BITS_MAX} in an IPv6 range, got /{bits}")
    return AddressRange(int(network.network_address) >> 64, int(network.netmask) >> 64, True)


def _is_address(text: str) -> bool:
    family = AF_INET6 if ":" in text else AF_INET
    try:
        inet_pton(family, text)
    except OSError:
        return False
    return True
