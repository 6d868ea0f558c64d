"""From an hour's charges to messages: late ones, duplicates, disputes, damaged copies."""

from collections.abc import Iterator

import numpy as np

from streams.simulator.charges.fraud_patterns import PATTERNS
from streams.simulator.charges.population import Block, Population, identity_salt
from streams.simulator.disputes import FRAUDULENT, Dispute, Disputing
from streams.simulator.event import SimulatedEvent
from streams.simulator.faults import FAULTS
from streams.simulator.parameters import Parameters
from streams.simulator.randomness import F64, Purpose, generator, token
from streams.simulator.wire import Value, charge_values
from streams.simulator.world.ids import ids


class Publisher:
    """Makes the messages that come of each hour's charges.

    Parameters
    ----------
    parameters
        Of the simulation.
    population
        Who the charges point to.
    """

    def __init__(self, parameters: Parameters, population: Population) -> None:
        self._parameters = parameters
        self._merchants = population.merchants
        self._cards = population.cards
        self._keys = [card.encode() for card in population.cards.ids]
        self._salt = identity_salt(parameters.seed)
        self._disputing = Disputing(
            undisputed_share=parameters.undisputed_share,
            warning_share=parameters.warning_share,
            other_rate=parameters.other_dispute_rate,
            delay_scale=parameters.dispute_delay_scale,
        )

    def publish(self, block: Block) -> tuple[list[SimulatedEvent], list[SimulatedEvent]]:
        """Return the charges sent at once, in order, and everything that is sent later."""
        rng = generator(self._parameters.seed, Purpose.DELIVERY, block.hour)
        size = len(block.rows)
        late = rng.random(size) < self._parameters.late_share
        duplicated = rng.random(size) < self._parameters.duplicate_share
        created = block.rows["created"]
        published = created + np.where(late, self._delays_s(rng, size), 0.0)
        again = np.maximum(published, created + self._delays_s(rng, size))
        values = charge_values(block.rows, block.tokens, self._cards, self._merchants)
        plan = self._disputing.plan(
            generator(self._parameters.seed, Purpose.DISPUTES, block.hour), block.rows
        )
        charges = self._charges(block, published, values, plan)
        waiting = [charges[row] for row in np.flatnonzero(late).tolist()]
        for row in np.flatnonzero(duplicated).tolist():
            time = float(again[row])
            waiting.append(
                charges[row]._replace(value=dict(values[row]), publish_time=time, duplicate=True)
            )
        waiting.extend(self._disputes(block, published, values, plan))
        waiting.extend(self._damaged(block, values))
        prompt = charges
        if late.any():
            prompt = [charges[row] for row in np.flatnonzero(~late).tolist()]
        return prompt, waiting

    def _charges(
        self, block: Block, published: F64, values: list[Value], plan: list[Dispute]
    ) -> list[SimulatedEvent]:
        names = (None, *PATTERNS)
        disputed = np.zeros(len(block.rows), np.bool_)
        disputed[[dispute.row for dispute in plan if dispute.reason == FRAUDULENT]] = True
        columns = zip(
            block.rows["card"].tolist(),
            values,
            block.rows["created"].tolist(),
            published.tolist(),
            block.rows["pattern"].tolist(),
            disputed.tolist(),
            strict=True,
        )
        return [
            SimulatedEvent(
                "charges", self._keys[card], value, created, time, names[pattern], is_disputed
            )
            for card, value, created, time, pattern, is_disputed in columns
        ]

    def _disputes(
        self, block: Block, published: F64, values: list[Value], plan: list[Dispute]
    ) -> Iterator[SimulatedEvent]:
        """Yield the disputes that will come of an hour's charges; none overtakes its charge."""
        ordinal = np.array([dispute.ordinal for dispute in plan], dtype=np.int64)
        charge = block.tokens[np.array([dispute.row for dispute in plan], dtype=np.int64)]
        dispute_ids = ids("dp_", token(self._salt, charge, ordinal + 1))
        names = (None, *PATTERNS)
        for dispute_id, dispute in zip(dispute_ids, plan, strict=True):
            charged, row = values[dispute.row], block.rows[dispute.row]
            created = float(np.ceil((published[dispute.row] + dispute.delay_s) * 1000.0) / 1000.0)
            value: Value = {
                "id": dispute_id,
                "charge": charged["id"],
                "card": charged["card"],
                "merchant": charged["merchant"],
                "created": created,
                "reason": dispute.reason,
            }
            key, pattern = self._keys[row["card"]], names[row["pattern"]]
            yield SimulatedEvent("disputes", key, value, created, created, pattern)

    def _damaged(self, block: Block, values: list[Value]) -> Iterator[SimulatedEvent]:
        """Yield damaged copies of some of the charges, under ids of their own."""
        rng = generator(self._parameters.seed, Purpose.FAULTS, block.hour)
        chosen = np.flatnonzero(rng.random(len(values)) < self._parameters.malformed_share)
        zeros = np.zeros(len(chosen), dtype=np.int64)
        copies = ids("ch_", token(self._salt, block.tokens[chosen], zeros))
        names = rng.choice(list(FAULTS), size=len(chosen)).tolist()
        delays_s = self._delays_s(rng, len(chosen)).tolist()
        for row, copy, name, delay_s in zip(chosen.tolist(), copies, names, delays_s, strict=True):
            value, key = FAULTS[name]({**values[row], "id": copy})
            created = float(block.rows["created"][row])
            time = created + delay_s
            yield SimulatedEvent("charges", key.encode(), value, created, time, fault=name)

    def _delays_s(self, rng: np.random.Generator, size: int) -> F64:
        """Draw delays of publishing, most of them short, none above the longest."""
        longest_s = self._parameters.late_max_s
        return np.minimum(rng.exponential(longest_s / 6.0, size=size), longest_s)
