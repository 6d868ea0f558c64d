"""A believable stream of charges and disputes: pure, seeded, lazy, without a wall clock."""

from streams.simulator.event import SimulatedEvent
from streams.simulator.faults import FAULTS
from streams.simulator.fraud_patterns import DEFAULT_MIX, DRIFTED_MIX, FRIENDLY_FRAUD, PATTERNS
from streams.simulator.stream import Simulation

__all__ = [
    "DEFAULT_MIX",
    "DRIFTED_MIX",
    "FAULTS",
    "FRIENDLY_FRAUD",
    "PATTERNS",
    "SimulatedEvent",
    "Simulation",
]
