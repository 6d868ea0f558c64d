"""The run of the demo from the first start to the last stop."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from agents.demo.cluster import Cluster, open_cluster
from agents.demo.figures import Report
from agents.demo.performance import Performance
from agents.demo.scenario import Play
from agents.demo.screen import Screen
from agents.demo.worker import Worker
from agents.settings.schema import Settings


def run(settings: Settings, play: Play, screen: Screen, sleep: Callable[[float], None]) -> Report:
    """Start everything, perform the play, and stop and remove everything, however it ends.

    It waits with `sleep`, which may raise to end it.

    Raises
    ------
    LocalKafkaError, TopicsError, DemoError
        When Kafka or the worker cannot be started, or fails.
    """
    with ExitStack() as stack:
        with screen.step("Starting Apache Kafka; the first time, Maven copies its jars") as done:
            cluster = stack.enter_context(open_cluster(settings))
            cluster.make_topics()
            done(f"{cluster.name}: topics {cluster.topics.charges}, {cluster.topics.disputes}, ...")
        if not cluster.is_local:
            stack.callback(screen.say, _what_stays(cluster))
        with screen.step("Starting a worker; the first time, its kernels are compiled") as done:
            directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="chargewatch-demo-"))
            )
            horizon_days = play.scenario.label_horizon_days
            worker = stack.enter_context(Worker(cluster, directory, horizon_days))
            worker.wait_until_ready(sleep)
            done("one worker: it knows no dispute yet, and scores with a fixed prior")
        performance = stack.enter_context(Performance(cluster, worker, play, screen, sleep))
        report = performance.perform()
        with screen.step("Stopping what was started"):
            stack.close()
    return report


def _what_stays(cluster: Cluster) -> str:
    servers, prefix = cluster.settings.bootstrap_servers, cluster.topics.prefix
    return (
        f"The topics {prefix}* are still there; to delete them: kafka-topics.sh "
        f"--bootstrap-server {servers} --delete --topic '{prefix.replace('.', '[.]')}.*'"
    )
