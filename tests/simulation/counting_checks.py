"""What the counting stages must have counted, computed from the inputs alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import orjson

from streams.features.entities import CARDS, MERCHANTS
from tests.simulation.checks import Checks, at_least, differences, names
from tests.simulation.counting import chained, summed

if TYPE_CHECKING:
    from collections.abc import Iterator


class CountingChecks(Checks):
    """Checks of schedules with counting stages."""

    def stages(self) -> Iterator[str]:
        yield from differences(
            "an example", self._examples(), names([*self.disputes, *self.outcomes])
        )
        yield from self._numbers()
        yield from self._order()
        yield from self._tallies()

    def at_least_once(self) -> Iterator[str]:
        yield from super().at_least_once()
        yield from at_least("an example", self._examples(), names([*self.disputes, *self.outcomes]))

    def _examples(self) -> list[str]:
        return [(r.value or b"").decode() for r in self.broker.committed(self.topics.examples)]

    def _numbers(self) -> Iterator[str]:
        """Compare the counts that were put out: each charge once, those of a card in order."""
        scored = {event["charge"]: event for event in self.scored()}
        of_card: Counter[str] = Counter()
        of_shop: dict[str, list[int]] = defaultdict(list)
        for charge in self.charges:
            of_card[charge.card] += 1
            if charge.name not in scored:
                continue
            event = scored[charge.name]
            of_shop[charge.merchant].append(event["of_merchant"])
            if event["of_card"] != of_card[charge.card]:
                yield (
                    f"{charge.name}: counted as number {event['of_card']} of {charge.card}, "
                    f"is number {of_card[charge.card]}"
                )
        for shop, numbers in of_shop.items():
            if sorted(numbers) != list(range(1, len(numbers) + 1)):
                yield f"{shop}: its charges were counted as numbers {sorted(numbers)}"

    def _order(self) -> Iterator[str]:
        """Compare the order in which the charges of a card at one merchant were scored."""
        places = {event["charge"]: place for place, event in enumerate(self.scored())}
        before: dict[tuple[str, str], str] = {}
        for charge in self.charges:
            if charge.name not in places:
                continue
            earlier = before.get((charge.card, charge.merchant), charge.name)
            if places[earlier] > places[charge.name]:
                yield f"{earlier} was scored after {charge.name}"
            before[charge.card, charge.merchant] = charge.name

    def _tallies(self) -> Iterator[str]:
        """Compare the tallies in the changelog with those of the inputs."""
        wanted: dict[bytes, list[int]] = defaultdict(lambda: [0] * 6)
        for place, events in ((0, self.charges), (2, self.disputes), (4, self.outcomes)):
            for event in events:
                for key, combine in (
                    (CARDS.prefix + event.card.encode(), chained),
                    (MERCHANTS.prefix + event.merchant.encode(), summed),
                ):
                    wanted[key][place] += 1
                    wanted[key][place + 1] = combine(wanted[key][place + 1], event.name)
        found = {
            key: orjson.loads(value)
            for number in range(self.broker.partitions[self.topics.changelog])
            for key, value in self.restored(number).items()
            if key[:1] in {CARDS.prefix, MERCHANTS.prefix}
        }
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                yield f"state of {key!r}: {found.get(key)}, should be {wanted.get(key)}"
