"""What Kafka clients measure of themselves, as Prometheus has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from agents.telemetry.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.kafka.statistics import ClientFigures, ClientStatistics

ROUND_TRIP_SECONDS = Series(
    "chargewatch_kafka_round_trip_seconds",
    "From a request to a broker until its answer, 99th percentile of the last seconds",
    ["client", "broker"],
)
THROTTLED_SECONDS = Series(
    "chargewatch_kafka_throttled_seconds",
    "How long a broker has a client wait that is over its quota",
    ["client", "broker"],
)
QUEUED_MESSAGES = Series(
    "chargewatch_kafka_queued_messages", "Messages that wait in a client to be sent", ["client"]
)
UNANSWERED_REQUESTS = Series(
    "chargewatch_kafka_unanswered_requests",
    "Requests that wait to be sent, or for their answer",
    ["client"],
)
CLIENT_ERRORS = Series(
    "chargewatch_kafka_client_errors",
    "What went wrong between a client and its brokers, by kind",
    ["client", "kind"],
    CounterMetricFamily,
)
REBALANCES = Series(
    "chargewatch_kafka_rebalances",
    "Rebalances of the group that a client is a member of",
    ["client"],
    CounterMetricFamily,
)


class KafkaClients:
    """Shows the newest figures of the clients of a process.

    Parameters
    ----------
    statistics
        Where the clients tell them.
    """

    def __init__(self, statistics: ClientStatistics) -> None:
        self._statistics = statistics
        self._newest: dict[str, ClientFigures] = {}

    def show(self) -> None:
        """Bring the metrics up to date."""
        told = self._statistics.take()
        if not told:
            return
        self._newest |= told
        self._show_one(QUEUED_MESSAGES, lambda figures: figures.queued_messages)
        self._show_one(UNANSWERED_REQUESTS, lambda figures: figures.unanswered)
        self._show_one(REBALANCES, lambda figures: figures.rebalances)
        self._show_each(ROUND_TRIP_SECONDS, lambda figures: figures.round_trips_s.items())
        self._show_each(THROTTLED_SECONDS, lambda figures: figures.throttled_s.items())
        self._show_each(CLIENT_ERRORS, lambda figures: figures.errors.items())

    def _show_one(self, series: Series, read: Callable[[ClientFigures], float]) -> None:
        series.show({(client,): read(figures) for client, figures in self._newest.items()})

    def _show_each(
        self, series: Series, read: Callable[[ClientFigures], Iterable[tuple[str, float]]]
    ) -> None:
        series.show(
            {
                (client, each): value
                for client, figures in self._newest.items()
                for each, value in read(figures)
            }
        )
