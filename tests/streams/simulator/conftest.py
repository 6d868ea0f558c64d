"""One simulated stream that several tests look at from different sides."""

import pytest

from streams.simulator import SimulatedEvent, Simulation


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    return Simulation(seed=11, cards=8_000, merchants=600, days=21, charges_per_day=8_000)


@pytest.fixture(scope="session")
def events(simulation: Simulation) -> list[SimulatedEvent]:
    return list(simulation.events())


@pytest.fixture(scope="session")
def charges(events: list[SimulatedEvent]) -> list[SimulatedEvent]:
    """The charges, each once."""
    return [e for e in events if e.topic == "charges" and not e.duplicate]


@pytest.fixture(scope="session")
def disputes(events: list[SimulatedEvent]) -> list[SimulatedEvent]:
    return [e for e in events if e.topic == "disputes"]
