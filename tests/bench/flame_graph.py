"""A flame graph of sampled stacks, drawn without scripts: the wider, the more time."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Stacks = Sequence[tuple[tuple[str, ...], int]]

_WIDTH, _ROW, _LETTER = 1200.0, 17, 6.6
_NARROWEST = 0.8
"""Pixels; what is narrower is left out."""

_FRAME = re.compile(r"(?P<function>.*?) \((?P<file>[^()]*?)(:\d+)?\)$")


@dataclass
class Frame:
    """A function as it is called from one place, with all that it calls.

    Attributes
    ----------
    samples
        In which it was, itself or in what it called.
    """

    name: str
    samples: int = 0
    calls: dict[str, Frame] = field(default_factory=dict)


def read_stacks(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Read folded stacks, outermost first; of a file's path the last two parts are kept.

    >>> read_stacks("run (/usr/lib/python3.11/asyncio/base_events.py:60);poll (a/b.py) 3")
    [(('run asyncio/base_events.py', 'poll a/b.py'), 3)]
    """
    stacks = []
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        stacks.append((tuple(_short(frame) for frame in frames.split(";")), int(count)))
    return stacks


def shares(stacks: Stacks) -> list[tuple[str, float, float]]:
    """Return each function with its share of the samples, with and without what it calls.

    >>> shares([(("a", "b"), 3), (("a",), 1), (("a", "b", "a"), 4)])
    [('a', 1.0, 0.625), ('b', 0.875, 0.375)]
    """
    whole: dict[str, int] = {}
    own: dict[str, int] = {}
    for frames, count in stacks:
        for name in set(frames):
            whole[name] = whole.get(name, 0) + count
        own[frames[-1]] = own.get(frames[-1], 0) + count
    total = sum(own.values())
    ordered = sorted(whole, key=lambda name: (-whole[name], name))
    return [(name, whole[name] / total, own.get(name, 0) / total) for name in ordered]


def flame_graph(stacks: Stacks, title: str) -> str:
    """Draw stacks as SVG; a browser shows a frame's name and share where the pointer is."""
    root = Frame("all")
    for frames, count in stacks:
        at = root
        at.samples += count
        for name in frames:
            at = at.calls.setdefault(name, Frame(name))
            at.samples += count
    scale = _WIDTH / root.samples
    placed = list(_placed(root, 0.0, 0, scale))
    height = (2 + max(depth for _, _, depth in placed)) * _ROW + 10
    shapes = "\n".join(_shape(frame, x, depth, scale, height, root) for frame, x, depth in placed)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" '
        'font-family="monospace" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n<text x="4" y="13">{escape(title)}'
        f"</text>\n{shapes}\n</svg>\n"
    )


def _short(frame: str) -> str:
    found = _FRAME.match(frame)
    if found is None:
        return frame
    return f"{found['function']} {'/'.join(found['file'].split('/')[-2:])}"


def _placed(frame: Frame, x: float, depth: int, scale: float) -> Iterator[tuple[Frame, float, int]]:
    """Yield the frames wide enough to be drawn, where they begin and how deep they are."""
    yield frame, x, depth
    for name in sorted(frame.calls):
        call = frame.calls[name]
        if call.samples * scale >= _NARROWEST:
            yield from _placed(call, x, depth + 1, scale)
        x += call.samples * scale


def _shape(frame: Frame, x: float, depth: int, scale: float, height: int, root: Frame) -> str:
    width = frame.samples * scale
    y = height - (depth + 1) * _ROW
    hue = 20 + zlib.crc32(frame.name.encode()) % 40
    room = int((width - 4) / _LETTER)
    label = frame.name if len(frame.name) <= room else frame.name[: max(room - 1, 0)] + "…"
    text = f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(label)}</text>' if room > 2 else ""
    share = 100.0 * frame.samples / root.samples
    return (
        f"<g><title>{escape(frame.name)}: {share:.1f}%</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.4):.1f}" height="{_ROW - 1}" '
        f'fill="hsl({hue},85%,72%)"/>{text}</g>'
    )
