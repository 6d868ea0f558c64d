"""Kernel that makes JSON of Avro, many payloads at a time, by the program of their schema.

A program is what a schema says is to be read, one thing after the other, and what is to be written
of it. It has no loops: a schema of arrays, maps, decimals or bytes has none
(`streams.formats.avro_program`).
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from streams.compiled import compiled

WRITE, KEY, UNION, GO_ON, DROP, ENUM, STRING, BOOL, LONG, DOUBLE, FLOAT, TIME = range(12)
"""Steps of a program, each with two numbers:

- WRITE writes a text: where it begins in the texts, and its bytes;
- KEY does so, and DROP takes the last one back: its field is left out;
- UNION reads a branch and goes on at its step: where these begin in the table, and how many;
- GO_ON goes on at a step, after a branch;
- ENUM reads a symbol and writes its text: where the texts begin in the table, and how many;
- TIME reads a whole number and writes seconds: how many of it are one;
- the others read a value and write it.
"""

NUMBER_BYTES = 24
TEXT_BYTES = 2
ESCAPED_BYTES = 6
"""The most that is written of a number, around a text, and of a byte of one."""

HARD = 0
"""Stands for a number that has more than nine decimals: no JSON has this byte."""

_DECIMALS_MAX = 9
_EXACT = 2.0**53
_ZERO, _MINUS, _QUOTE, _BACKSLASH = ord("0"), ord("-"), ord('"'), ord("\\")
_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_ESCAPE = np.frombuffer(rb"\u00", np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@compiled
def transcode(
    data: Any, starts: Any, program: Any, table: Any, texts: Any, out: Any, ends: Any,
    hard: Any, hard_ends: Any, scratch: Any,
) -> None:  # fmt: skip
    """Make JSON of N payloads, records each.

    Parameters
    ----------
    data
        u1[:], the payloads one after the other.
    starts
        i8[N + 1], where each begins, and where the last one ends.
    program
        i8[3, S], the steps: their codes, and both numbers.
    table
        i8[:], steps of branches, and pairs of begin and bytes of symbols.
    texts
        u1[:], JSON.
    out
        u1[:], written one after the other; as many as all steps of all payloads may write, and
        `ESCAPED_BYTES` times the bytes of `data`.
    ends
        i8[N], set to where each ends in `out`; -1 for a payload that was not written by the schema.
    hard
        f8[:], the numbers that `HARD` stands for; as many as there may be.
    hard_ends
        i8[N], set to where those of each end.
    scratch
        f8[1], f4[1], and each as u1[:].
    """
    at = found = 0
    for payload in range(len(ends)):
        begun = at
        at, found = _record(
            data, starts[payload], starts[payload + 1], program, table, texts, out, at,
            hard, found, scratch,
        )  # fmt: skip
        ends[payload] = at
        hard_ends[payload] = found
        if at < 0:
            at = begun


@compiled
def _record(
    data: Any, place: int, end: int, program: Any, table: Any, texts: Any, out: Any, begun: int,
    hard: Any, found: int, scratch: Any,
) -> tuple[int, int]:  # fmt: skip
    """Write one payload; return where it and its hard numbers end, -1 where it is none."""
    at, step, key_at = begun, 0, begun
    while step < program.shape[1] and place >= 0:
        code, first, second = program[0, step], program[1, step], program[2, step]
        step += 1
        if code <= KEY:
            if code == KEY:
                key_at = at
            at = _copy(texts, first, second, out, at)
        elif code == GO_ON:
            step = first
        elif code == DROP:
            at = key_at
        elif code <= ENUM:
            chosen, place = _choice(data, place, end, second)
            if code == UNION:
                step = table[first + chosen]
            else:
                at = _copy(texts, table[first + 2 * chosen], table[first + 2 * chosen + 1], out, at)
        elif code <= LONG:
            place, at = _value(code, data, place, end, out, at)
        else:
            number, place = _number(code, first, data, place, end, scratch)
            at, found = _decimal(out, at, number, hard, found)
    return (at if place == end else -1), found


@compiled
def _value(code: int, data: Any, place: int, end: int, out: Any, at: int) -> tuple[int, int]:
    """Read a value without decimals and write it; return where both go on, -1 if there is none."""
    if code == BOOL:
        if place >= end or data[place] > 1:
            return -1, at
        text = _TRUE if data[place] else _FALSE
        return place + 1, _copy(text, 0, len(text), out, at)
    number, place = _varint(data, place, end)
    if code == LONG:
        return place, _whole(out, at, number, 1)
    if place < 0 or number < 0 or number > end - place:
        return -1, at
    return place + number, _text(data, place, number, out, at)


@compiled
def _number(
    code: int, units: int, data: Any, place: int, end: int, scratch: Any
) -> tuple[float, int]:
    """Read a number, and return where it goes on; -1 where there is none."""
    if code == TIME:
        number, place = _varint(data, place, end)
        return number / units, place
    double, single, double_bytes, single_bytes = scratch
    size = 8 if code == DOUBLE else 4
    if place + size > end:
        return 0.0, -1
    _copy(data, place, size, double_bytes if code == DOUBLE else single_bytes, 0)
    return (double[0] if code == DOUBLE else float(single[0])), place + size


@compiled
def _choice(data: Any, place: int, end: int, choices: int) -> tuple[int, int]:
    """Read one of some choices, and return where it goes on; 0 and -1 where it is none of them."""
    number, place = _varint(data, place, end)
    if number < 0 or number >= choices:
        return 0, -1
    return number, place


@compiled
def _varint(data: Any, place: int, end: int) -> tuple[int, int]:
    """Read a zigzag varint, and return where it goes on; 0 and -1 where it does not end."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= end:
            break
        byte = int(data[place])
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return ((number >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(number & 1), place
    return 0, -1


@compiled
def _text(data: Any, place: int, size: int, out: Any, at: int) -> int:
    """Write a string; return where it ends."""
    out[at] = _QUOTE
    at += 1
    for i in range(size):
        byte = data[np.uint64(place + i)]
        if byte < 0x20 or byte in (_QUOTE, _BACKSLASH):
            at = _copy(_ESCAPE, 0, 4, out, at)
            out[at], out[at + 1] = _HEX[byte >> 4], _HEX[byte & 15]
            at += 2
        else:
            out[np.uint64(at)] = byte
            at += 1
    out[at] = _QUOTE
    return at + 1


@compiled
def _decimal(out: Any, at: int, number: float, hard: Any, found: int) -> tuple[int, int]:
    """Write a number that reads as itself again: with few decimals, or for others to write.

    With n decimals it is a whole number over 10^n. Where both are exact, the quotient is the double
    that a reader takes the text for.
    """
    power = 1.0
    for decimals in range(_DECIMALS_MAX + 1):
        scaled = floor(abs(number) * power + 0.5)
        if not scaled < _EXACT:
            break
        if scaled / power == abs(number):
            if number < 0.0:
                out[at] = _MINUS
                at += 1
            return _with_decimals(out, at, int(scaled), decimals), found
        power *= 10.0
    out[at] = HARD
    hard[found] = number
    return at + 1, found + 1


@compiled
def _with_decimals(out: Any, at: int, scaled: int, decimals: int) -> int:
    """Write a number of units of the last decimal; return where it ends."""
    end = _whole(out, at, scaled, decimals + 1)
    if decimals == 0:
        out[end], out[end + 1] = ord("."), _ZERO
        return end + 2
    for i in range(end, end - decimals, -1):
        out[i] = out[i - 1]
    out[end - decimals] = ord(".")
    return end + 1


@compiled
def _whole(out: Any, at: int, number: int, digits_min: int) -> int:
    """Write a whole number, with zeros before it up to some digits; return where it ends."""
    if number < 0:
        out[at] = _MINUS
        at += 1
    left = np.uint64(-number) if number < 0 else np.uint64(number)
    digits = 1
    power = np.uint64(10)
    while digits < 20 and (digits < digits_min or (digits < 19 and left >= power)):
        digits += 1
        power *= np.uint64(10)
    for i in range(digits):
        out[at + digits - 1 - i] = _ZERO + np.int64(left % np.uint64(10))
        left //= np.uint64(10)
    return at + digits


@compiled
def _copy(source: Any, start: int, size: int, out: Any, at: int) -> int:
    """Copy bytes; return where they end."""
    for i in range(size):  # unsigned, as no place is counted from the end
        out[np.uint64(at + i)] = source[np.uint64(start + i)]
    return at + size
