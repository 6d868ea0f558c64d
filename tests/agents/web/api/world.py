"""Replicas of the API around topics of a pretended Kafka, with a pretended worker behind them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from agents.web.api.asked import Asked
from agents.web.api.brokers import UnavailableError
from agents.web.api.charge_desk import ChargeDesk
from agents.web.api.memory import Answer, Scored
from agents.web.api.sender import Delivered, QueueFullError
from agents.web.barrier import AwayError
from schemas.charge import Charge

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from agents.web.api.memory import Key
    from agents.web.api.sender import Delivery

FALLBACK = "review"
CREATED = 1.75e9


@dataclass
class World:
    """Two topics, each read in its own order, and how long everything takes.

    Attributes
    ----------
    log
        What is committed: `("scored", key, event, request)` or `("fallback", key, action)`.
    charges
        What the brokers have taken of charges: key and request, in order.
    ack_s, work_s, read_s
        From, to: of an acknowledgement, of a score, and until a replica has read what is committed.
    is_away, is_full
        Whether the brokers answer nothing, and whether they have no room.
    """

    random: Random
    ack_s: tuple[float, float] = (0.002, 0.005)
    work_s: tuple[float, float] = (0.03, 0.06)
    read_s: tuple[float, float] = (0.001, 0.004)
    is_away: bool = False
    is_full: bool = False
    works: bool = True
    log: list[tuple[str, Key, str, str]] = field(default_factory=list)
    charges: list[tuple[Key, str]] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)

    def replica(self, in_flight_max: int = 100) -> Replica:
        made = Replica(self, in_flight_max)
        self.replicas.append(made)
        return made

    def after(self, takes: tuple[float, float], do: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self.random.uniform(*takes), do)

    def commit(self, entry: tuple[str, Key, str, str]) -> None:
        self.log.append(entry)
        for replica in self.replicas:
            self.after(self.read_s, partial(replica.read_on, entry[0]))

    def take_charge(self, key: Key, request: str) -> None:
        first = next((r for k, r in self.charges if k == key), None)
        self.charges.append((key, request))
        if not self.works:
            return
        if first is None:
            event = f'{{"charge":"{key[1]}","action":"block"}}'
            self.after(self.work_s, lambda: self.commit(("scored", key, event, request)))
        else:
            event = f'{{"charge":"{key[1]}","action":"block","duplicate":true}}'
            self.after(self.work_s, lambda: self.commit(("scored", key, event, request)))

    def ends(self) -> dict[str, int]:
        kinds = [kind for kind, *_ in self.log]
        return {kind: kinds.count(kind) for kind in ("scored", "fallback")}

    def fallbacks(self, key: Key) -> list[str]:
        return [action for kind, k, action, _ in self.log if kind == "fallback" and k == key]


class Replica:
    """One replica: a desk, and the brokers as it sees them."""

    def __init__(self, world: World, in_flight_max: int) -> None:
        self.world = world
        self.read = dict(world.ends())
        self._numbers = iter(range(10**6))
        self.fallback = FALLBACK
        loop = asyncio.get_running_loop()
        self.desk = ChargeDesk(self, lambda _: self.fallback, loop.time, in_flight_max, 3600.0)

    @property
    def is_away(self) -> bool:
        return self.world.is_away

    def send_charge(self, asked: Asked, told: Callable[[Delivery], None]) -> None:
        self._send(told, lambda: self.world.take_charge(asked.key, asked.request))

    def send_fallback(
        self, asked: Asked, action: str, took_s: float, told: Callable[[Delivery], None]
    ) -> None:
        assert took_s > 0
        key = asked.key
        self._send(told, lambda: self.world.commit(("fallback", key, action, "")))

    def _send(self, told: Callable[[Delivery], None], append: Callable[[], None]) -> None:
        if self.world.is_full:
            raise QueueFullError

        def arrive() -> None:
            if not self.world.is_away:
                append()
                self.world.after(self.world.ack_s, lambda: told(Delivered(0)))

        self.world.after(self.world.ack_s, arrive)

    async def catch_up(self) -> None:
        """Ask where the log ends, which takes a moment, and read until there."""
        await asyncio.sleep(self.world.random.uniform(*self.world.ack_s))
        if self.world.is_away:
            raise AwayError
        ends = self.world.ends()
        await asyncio.sleep(self.world.random.uniform(*self.world.ack_s))
        while any(self.read[kind] < end for kind, end in ends.items()):
            await asyncio.sleep(0.0005)

    def read_on(self, kind: str) -> None:
        """Take the next entry of a topic."""
        entries = [entry for entry in self.world.log if entry[0] == kind]
        _, key, what, request = entries[self.read[kind]]
        self.read[kind] += 1
        if kind == "scored":
            self.desk.scored(key, what.encode(), CREATED, request)
        else:
            self.desk.fell_back(key, what, CREATED)

    async def ask(
        self, charge: str, deadline_s: float = 0.25, created: float = CREATED
    ) -> Answer | UnavailableError:
        """Ask for a charge as a request does."""
        loop = asyncio.get_running_loop()
        made = Charge(charge, created, 1000, "usd", "card", "shop")
        request = f"{id(self)}-{next(self._numbers)}"
        began = loop.time()
        asked = Asked(made, b"{}", b"card", request, began, began + deadline_s)
        try:
            return await self.desk.answer(asked)
        except UnavailableError as error:
            return error


def action_of(answer: Answer | UnavailableError) -> str:
    """Return what an answer says is to be done."""
    if isinstance(answer, UnavailableError):
        return "none"
    return "block" if isinstance(answer, Scored) else answer.action
