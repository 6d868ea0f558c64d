"""The worker of the demo."""

from pathlib import Path

from msgspec.structs import replace

from agents.demo.cluster import Cluster
from agents.demo.process import Process, free_port
from agents.settings.schema import Actions, Settings


def with_horizon(settings: Settings, label_horizon_days: float) -> Settings:
    """Return settings of another label horizon, as far as disputes are kept."""
    days = min(label_horizon_days, settings.dispute_retention_days)
    return replace(settings, label_horizon_days=days)


class Worker(Process):
    """A running `chargewatch worker`.

    It is started for charges that nobody acts on: all of them go through.

    Parameters
    ----------
    cluster
        Where its topics are.
    directory
        For its state and its log.
    label_horizon_days
        In place of the one in the settings.
    """

    def __init__(self, cluster: Cluster, directory: Path, label_horizon_days: float) -> None:
        super().__init__("worker", cluster.env, directory)
        self._settings = with_horizon(cluster.settings, label_horizon_days)
        self._start("advisory")

    def _start(self, actions: Actions) -> None:
        port = free_port()
        self.start(replace(self._settings, actions=actions, web_port=port), port)

    def restart_enforced(self) -> None:
        """Stop it, and start it for charges whose actions are carried out; its state stays."""
        self.stop()
        self._start("enforced")
