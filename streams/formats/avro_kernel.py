"""Kernel that makes MessagePack of Avro, many payloads at a time, by the program of their schema.

A program is what a schema says is to be read, one thing after the other, and what is to be written
of it. It has no loops: a schema of arrays, maps, decimals or bytes has none
(`streams.formats.avro_program`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.compiled import compiled

KEY, RECORD, UNION, GO_ON, NIL, DROP, STRING, BOOL, LONG, DOUBLE, FLOAT, ENUM, TIME = range(13)
"""Steps of a program, each with two numbers:

- KEY writes a text: where it begins in the texts, and its bytes;
- RECORD writes the head of a map: of how many fields;
- UNION reads a branch and goes on at its step: where these begin in the table, and how many;
- GO_ON goes on at a step, after a branch;
- NIL writes nil, and DROP takes the key before it back;
- ENUM reads a symbol and writes its text: where the texts begin in the table, and how many;
- TIME reads a whole number and writes seconds: how many of it are one;
- the others read a value and write it.
"""

MAP_HEAD_BYTES = 3
NUMBER_BYTES = 9
TEXT_HEAD_BYTES = 5


@compiled
def transcode(
    data: Any, starts: Any, program: Any, table: Any, texts: Any, out: Any, ends: Any, scratch: Any
) -> None:
    """Make MessagePack of N payloads, records each.

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
        u1[:], in MessagePack.
    out
        u1[:], written one after the other; as many as all steps of all payloads may write, and
        the bytes of `data`.
    ends
        i8[N], set to where each ends in `out`; -1 for a payload that was not written by the schema.
    scratch
        u1[8] over one f8, as a pair.
    """
    at = 0
    for payload in range(len(ends)):
        begun = at
        at = _record(data, starts[payload], starts[payload + 1], program, table, texts, out, at,
                     scratch)  # fmt: skip
        ends[payload] = at
        if at < 0:
            at = begun


@compiled
def _record(
    data: Any, place: int, end: int, program: Any, table: Any, texts: Any, out: Any, begun: int,
    scratch: Any,
) -> int:  # fmt: skip
    """Write one payload; return where it ends, -1 where it is none of the schema."""
    at, step, key_at, dropped = begun, 0, begun, 0
    while step < program.shape[1] and place >= 0:
        code, first, second = program[0, step], program[1, step], program[2, step]
        step += 1
        if code == KEY:
            key_at = at
            at = _copy(texts, first, second, out, at)
        elif code == RECORD:
            at = _map_head(out, at, first)
        elif code == GO_ON:
            step = first
        elif code == DROP:
            at = key_at
            dropped += 1
        elif code == UNION:
            chosen, place = _choice(data, place, end, second)
            step = table[first + chosen]
        elif code == ENUM:
            chosen, place = _choice(data, place, end, second)
            text = first + 2 * chosen
            at = _copy(texts, table[text], table[text + 1], out, at)
        else:
            place, at = _value(code, first, data, place, end, out, at, scratch)
    if place != end:
        return -1
    _map_head(out, begun, program[1, 0] - dropped)
    return at


@compiled
def _value(
    code: int, units: int, data: Any, place: int, end: int, out: Any, at: int, scratch: Any
) -> tuple[int, int]:
    """Read a value and write it; return where both go on, the first -1 where there is none."""
    if code == NIL:
        out[at] = 0xC0
        return place, at + 1
    if code == BOOL:
        if place >= end or data[place] > 1:
            return -1, at
        out[at] = 0xC2 + data[place]
        return place + 1, at + 1
    if code in (DOUBLE, FLOAT):
        size = 8 if code == DOUBLE else 4
        if place + size > end:
            return -1, at
        out[at] = 0xCB if code == DOUBLE else 0xCA
        return place + size, _copy_reversed(data, place, size, out, at + 1)
    number, place = _varint(data, place, end)
    if code == STRING:
        if place < 0 or number < 0 or number > end - place:
            return -1, at
        return place + number, _copy(data, place, number, out, _text_head(out, at, number))
    if code == LONG:
        out[at] = 0xD3
        return place, _big_endian(out, at + 1, number, 8)
    seconds, seconds_bytes = scratch
    seconds[0] = number / units
    out[at] = 0xCB
    return place, _copy_reversed(seconds_bytes, 0, 8, out, at + 1)


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
def _text_head(out: Any, at: int, size: int) -> int:
    """Write the head of a text; return where the text begins."""
    if size < 32:
        out[at] = 0xA0 | size
        return at + 1
    width = 1 if size < 256 else 2 if size < 65536 else 4
    out[at] = 0xD9 + width // 2
    return _big_endian(out, at + 1, size, width)


@compiled
def _map_head(out: Any, at: int, fields: int) -> int:
    """Write the head of a map; return where its fields begin."""
    out[at] = 0xDE
    return _big_endian(out, at + 1, fields, 2)


@compiled
def _big_endian(out: Any, at: int, number: int, size: int) -> int:
    """Write a number; return where it ends."""
    for i in range(size):
        out[at + size - 1 - i] = (number >> (8 * i)) & 0xFF
    return at + size


@compiled
def _copy(source: Any, start: int, size: int, out: Any, at: int) -> int:
    """Copy bytes; return where they end."""
    for i in range(size):  # unsigned, as no place is counted from the end
        out[np.uint64(at + i)] = source[np.uint64(start + i)]
    return at + size


@compiled
def _copy_reversed(source: Any, start: int, size: int, out: Any, at: int) -> int:
    """Copy bytes in reverse, a little-endian number as a big-endian one; return where they end."""
    for i in range(size):
        out[at + i] = source[start + size - 1 - i]
    return at + size
