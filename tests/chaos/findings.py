"""What a verifier finds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 3


@dataclass
class Findings:
    """What is wrong, by what it is, and how much was looked at."""

    checked: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))

    def check(self, what: str, holds: bool | np.bool_, found: object = None) -> None:
        self.checked[what] += 1
        if not holds:
            self.wrong[what].append(found)

    def __bool__(self) -> bool:
        return bool(self.wrong)

    def __str__(self) -> str:
        lines = [f"{count:8d} x {what}" for what, count in self.checked.items()]
        for what, found in self.wrong.items():
            lines.append(f"WRONG {len(found)} x {what}: {found[:_SHOWN]}")
        return "\n".join(lines)
