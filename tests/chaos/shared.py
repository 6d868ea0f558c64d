"""What charges share with others: in which order they were scored, and what that must have told.

The log between the stages has frames, and the parts of vectors that they wait for; that to the
entities has what these were told, in the order in which they counted it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from streams.events.rows import CHARGE, DISPUTE_WON, FRAUD_DISPUTE, STOPPED
from streams.features.entities import SHARED_WORDS, entity_code
from streams.wire.entity_events import tickets_of
from tests.streams.features.brute_past import counted, hour_of
from tests.streams.features.brute_shared import SHARED_NAMES, SharedPast, of_shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.charge import Charge
    from streams.events.rows import Rows
    from tests.streams.features.brute_past import Values

_KINDS = {entity_code(kind): kind for kind in SHARED_WORDS}
_NAMES = tuple(f"{kind}_{name}" for kind in SHARED_WORDS for name in SHARED_NAMES)


class ScoringOrder:
    """The frames of one partition in the order in which they were scored.

    Attributes
    ----------
    numbers
        Of the inputs.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._waiting: dict[int, list[tuple[int, bytes, int]]] = defaultdict(list)
        self._parts: dict[bytes, set[int]] = defaultdict(set)

    def frame(self, number: int, card: int, ticket: bytes, parts: int) -> None:
        """Take a frame, which waits for its parts and for those of its card before it."""
        self._waiting[card].append((number, ticket, parts))
        self._settle(card)

    def part(self, ticket: bytes, entity: int) -> None:
        """Take a part."""
        self._parts[ticket].add(entity)
        for card in list(self._waiting):
            self._settle(card)

    @property
    def left(self) -> list[int]:
        """Numbers of what waits still."""
        return [number for those in self._waiting.values() for number, _, _ in those]

    def _settle(self, card: int) -> None:
        those = self._waiting[card]
        while those and len(self._parts.get(those[0][1], ())) >= those[0][2]:
            self.numbers.append(those.pop(0)[0])
        if not those:
            del self._waiting[card]


def expect_shared(
    logs: Iterable[Rows], charges: Mapping[bytes, tuple[int, Charge]]
) -> tuple[dict[int, Values], Counter[tuple[int, bytes]]]:
    """Compute what entities must have answered.

    Parameters
    ----------
    logs
        ENTITY_EVENT[N] of each partition.
    charges
        Numbers and charges by their tickets.

    Returns
    -------
    tuple
        The features of charges by their number, and how often what was told of which charge.
    """
    features: dict[int, Values] = defaultdict(lambda: dict.fromkeys(_NAMES, 0.0))
    told: Counter[tuple[int, bytes]] = Counter()
    for log in logs:
        pasts: dict[tuple[int, int], SharedPast] = defaultdict(SharedPast)
        for row, ticket in zip(log, tickets_of(log), strict=True):
            past = pasts[int(row["entity"]), int(row["key"])]
            kind, now = int(row["kind"]), float(row["created"])
            if kind != CHARGE:
                told[kind, row["charge"].tobytes()] += 1
            if kind == FRAUD_DISPUTE:
                past.frauds.append((now, 1))
            elif kind == DISPUTE_WON:
                past.frauds.append((now, -1))
            elif kind == STOPPED:
                past.blocked_in.append(hour_of(now))
            else:
                number, charge = charges[ticket]
                values = of_shared(past, charge, float(row["now"]))
                of = _KINDS[int(row["entity"])]
                features[number] |= {f"{of}_{name}": value for name, value in values.items()}
                if not row["duplicate"]:
                    past.charges.append(counted(charge, past.clock))
    return features, told
