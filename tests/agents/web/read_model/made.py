"""Seeded messages of all topics that the read model follows, by partition, as Kafka gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from schemas.outcome import OUTCOMES
from schemas.rejected import InvalidEvent, rejected_headers
from schemas.scored import ACTIONS

if TYPE_CHECKING:
    from random import Random

BEGAN = 1_790_000_000.0
DAYS = 12
WRITTEN_AT = BEGAN + (DAYS + 6) * 86_400.0
PARTITIONS = 3
IDS = ("ch_", "ch%", "ch", "c'h\"", "chä", "CH_", "ch\U0001f600", "x-")
"""Beginnings of ids, with characters that mean something to LIKE and SQL."""


@dataclass(frozen=True)
class MadeMessage:
    """A message, as far as it is read."""

    made_topic: str
    made_partition: int
    made_offset: int
    made_key: bytes | None
    made_value: bytes | None
    made_headers: list[tuple[str, bytes]] | None = None
    written_at: float = WRITTEN_AT

    def topic(self) -> str:
        return self.made_topic

    def partition(self) -> int:
        return self.made_partition

    def offset(self) -> int:
        return self.made_offset

    def key(self) -> bytes | None:
        return self.made_key

    def value(self) -> bytes | None:
        return self.made_value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.made_headers

    def timestamp(self) -> tuple[int, int]:
        return 1, int(self.written_at * 1000)


@dataclass
class Made:
    """Partitions of topics, each with its messages in their order."""

    partitions: dict[tuple[str, int], list[MadeMessage]] = field(default_factory=dict)

    def add(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: list[tuple[str, bytes]] | None = None,
        written_at: float = WRITTEN_AT,
    ) -> None:
        partition = sum(key.encode()) % PARTITIONS
        log = self.partitions.setdefault((topic, partition), [])
        offset = log[-1].made_offset + 1 if log else 0
        log.append(MadeMessage(topic, partition, offset, key.encode(), value, headers, written_at))

    def of(self, topic: str) -> list[MadeMessage]:
        """Return the messages of a topic, those of a partition in their order."""
        logs = sorted(self.partitions.items())
        return [message for (name, _), log in logs if name == topic for message in log]

    def interleaved(self, random: Random) -> list[MadeMessage]:
        """Return all messages in an order that a consumer may see."""
        left = {place: list(log) for place, log in self.partitions.items()}
        found = []
        while left:
            place = random.choice(sorted(left))
            for _ in range(random.randint(1, 40)):
                found.append(left[place].pop(0))
                if not left[place]:
                    del left[place]
                    break
        return found


def make(random: Random, charges: int = 400, prefix: str = "") -> Made:
    """Return messages around so many charges; `prefix` is that of the topics."""
    made = Made()
    told = _Telling(random, made, prefix)
    for number in range(charges):
        told.charge(number)
    for number in range(60):
        told.rejected(number)
    return made


class _Telling:
    def __init__(self, random: Random, made: Made, prefix: str) -> None:
        self._random = random
        self._made = made
        self._prefix = prefix
        self._cards = [f"{random.choice(IDS)}card{number}" for number in range(40)]
        self._merchants = [f"{random.choice(IDS)}m{number}" for number in range(9)]

    def charge(self, number: int) -> None:
        random = self._random
        charge = self._charge(number)
        # one of a history comes days later; what comes next may be the retry of a producer
        put_at = charge["created"] + random.choice((-2.0, 0.25, 299.0, 301.0, 2 * 86_400.0))
        scored_at = put_at + random.choice((-0.002, 0.0, 0.04, 2.0, 1e4)) * random.random()
        self._add("charges", charge["card"], charge, put_at)
        if random.random() < 0.05:
            self._add("charges", charge["card"], charge, put_at + 1.0)
        if random.random() < 0.03:
            return  # not scored yet
        scored = self._scored(charge)
        self._add("scored", charge["card"], scored, scored_at)
        if random.random() < 0.05:
            again = scored | {"duplicate": True, "action": random.choice(ACTIONS)}
            self._add("scored", charge["card"], again, scored_at + 1.0)
        for _ in range(random.choice((0, 0, 1, 3))):
            self._label(charge)
        for _ in range(random.choice((0, 0, 0, 1, 4))):
            self._review(charge)

    def rejected(self, number: int) -> None:
        random = self._random
        field = random.choice(("card", "amount", "created"))
        error = InvalidEvent("range", f"{field}: expected something else, got {number}")
        headers = rejected_headers(error, "charges", 1, 7)
        value = random.randbytes(random.choice((0, 20, 20_000)))
        written_at = BEGAN + random.random() * DAYS * 86_400.0
        self._made.add(f"{self._prefix}charges.rejected", f"k{number}", value, headers, written_at)

    def _charge(self, number: int) -> dict[str, Any]:
        random = self._random
        number -= random.random() < 0.1  # an id that another charge has as well
        charge = {
            "id": f"{IDS[number % len(IDS)]}{number:04d}",
            "created": round(BEGAN + random.random() * DAYS * 86_400.0, random.choice((0, 3))),
            "amount": random.choice((0, 5, 1999, 250_000, 2**53 - 1)),
            "currency": random.choice(("usd", "eur", "jpy")),
            "card": random.choice(self._cards),
            "merchant": random.choice(self._merchants),
        }
        for name in ("device", "ip", "email"):
            if random.random() < 0.6:
                charge[name] = f"{name}-{random.randrange(25)}"
        if random.random() < 0.5:
            charge["mcc"] = 5411
        return charge

    def _scored(self, charge: dict[str, Any]) -> dict[str, Any]:
        random = self._random
        carried = ("card", "merchant", "amount", "currency", "created")
        return {
            "charge": charge["id"], **{name: charge[name] for name in carried},
            "score": random.random(), "risk": random.randrange(100),
            "action": random.choice(ACTIONS), "reasons": [], "model": "prior",
            "scored_at": charge["created"] + 0.1, "decided_by": "model",
        }  # fmt: skip

    def _label(self, charge: dict[str, Any]) -> None:
        random = self._random
        about = {
            "id": f"l{random.randrange(10**6)}",
            "charge": charge["id"],
            # what comes first may come before its charge is known, or about none
            "card": charge["card"] if random.random() < 0.95 else "card-of-nobody",
            "merchant": charge["merchant"],
            "created": charge["created"] + random.random() * 5 * 86_400.0,
        }
        if random.random() < 0.4:
            reason = random.choice(("fraudulent", "product_not_received"))
            self._add("disputes", about["card"], about | {"reason": reason})
        else:
            outcome = random.choice(OUTCOMES + ("review_fraud", "review_genuine") * 4)
            action = {"action": random.choice(ACTIONS)} if outcome == "answered" else {}
            self._add("outcomes", about["card"], about | {"outcome": outcome, "by": "ann"} | action)

    def _review(self, charge: dict[str, Any]) -> None:
        random = self._random
        kind = random.choice(("claim", "claim", "release", "note"))
        created = charge["created"] + random.random() * 3600.0
        entry = {
            "id": f"r{random.randrange(10**9)}", "charge": charge["id"], "card": charge["card"],
            "created": created, "by": random.choice(("ann", "bob", "cy")), "kind": kind,
        }  # fmt: skip
        if kind == "claim":
            entry["until"] = created + 900.0
        if kind == "note":
            entry["text"] = f"called: {random.choice(IDS)}"
        self._add("chargewatch.reviews", charge["card"], entry)

    def _add(
        self, topic: str, key: str, event: dict[str, Any], written_at: float = WRITTEN_AT
    ) -> None:
        value = orjson.dumps(event)
        self._made.add(f"{self._prefix}{topic}", key, value, written_at=written_at)
