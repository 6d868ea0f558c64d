"""Addresses and ranges as numbers, as the standard library reads them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.addresses import address_of, is_ipv6, range_of

ODD = (
    "", ".", ":", "::", "...", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
    " 1.2.3.4", "1.2.3.-4", "1.2.3.4\0", "0.0.0.0", "255.255.255.255", "::1", "::ffff:1.2.3.4",
    "::1.2.3.4", "fe80::1%eth0", "1::2::3", "12345::", "2001:DB8::A", "2001:0db8:0:0:0:0:0:1",
    "64:ff9b::1.2.3.4", "ip:1", "a:b", "1.2.3.4:80", "[::1]", "٣.1.1.1", "1.2.3.٤",
    "\ud800:", "ip_1", "f" * 64,
    ":".join(["0"] * 8), ":".join(["1"] * 9), "1:" * 500,
)  # fmt: skip


def number_of(text: str) -> int:
    """Return what `address_of` is to."""
    try:
        address = ip_address(text)
    except ValueError:
        return 0
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return 0
        if address.ipv4_mapped is None:
            return 0 if int(address) >> 96 == 0 else int(address) >> 64
        address = address.ipv4_mapped
    return int(address)


@pytest.mark.parametrize("text", ODD)
def test_odd_texts(text: str) -> None:
    assert address_of(text) == number_of(text)


@given(st.ip_addresses().map(str) | st.text("0123456789abcdef:.", max_size=40) | st.text())
def test_any_text(text: str) -> None:
    assert address_of(text) == number_of(text)
    assert is_ipv6(address_of(text)) == (address_of(text) >= 2**32)


@given(st.ip_addresses(v=6))
def test_every_way_to_write_it_is_the_same(address: IPv6Address) -> None:
    assert address_of(address.exploded) == address_of(address.compressed.upper())


@pytest.mark.parametrize("seed", range(20))
def test_addresses_in_ranges(seed: int) -> None:
    """Those near the ends of a range, and some of it."""
    random = Random(seed)
    for _ in range(50):
        is_v6 = random.random() < 0.5
        prefix = random.randint(0, 64 if is_v6 else 32)
        base = (
            IPv6Address(random.getrandbits(128)) if is_v6 else IPv4Address(random.getrandbits(32))
        )
        network = ip_network(f"{base}/{prefix}", strict=False)
        found = range_of(str(network))
        assert found is not None
        first, last = int(network[0]), int(network[-1])
        for number in {first, last, first - 1, last + 1, random.randint(first, last)}:
            if 0 <= number < 2 ** (128 if is_v6 else 32):
                address = type(base)(number)
                told = address_of(str(address))
                is_in = told & found.mask == found.number and is_ipv6(told) == found.is_ipv6
                assert (is_in and told > 0) == (address in network and told > 0), f"seed {seed}"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("10.0.0.1", True), ("10.0.0.1/32", True), ("0.0.0.0/0", True), ("::/0", True),
        ("::ffff:10.0.0.0/104", True), ("2001:db8::/64", True), ("2001:db8::1", False),
        ("tok_1", False), ("a/b", False), ("1/2", False), ("10.0.0.0/255.0.0.0", False),
        ("10.0.0/8", False), ("10.0.0.0/", False), ("/8", False), ("10.0.0.0/8/8", False),
    ],
)  # fmt: skip
def test_what_is_a_range(text: str, is_one: bool) -> None:
    assert (range_of(text) is not None) == is_one


def test_an_ipv4_range_that_is_mapped_is_one() -> None:
    assert range_of("::ffff:10.0.0.0/104") == range_of("10.0.0.0/8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2001:db8::/65", "at most /64"),
        ("10.0.0.0/33", "too many bits"),
        ("2001:db8::/129", "too many bits"),
        ("10.1.0.0/8", r"did you mean 10\.0\.0\.0/8"),
        ("2001:db8::1/32", "did you mean 2001:db8::/32"),
    ],
)
def test_what_no_numbers_tell(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        range_of(text)
