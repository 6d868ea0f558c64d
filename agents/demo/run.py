"""The run of the demo from the first start to the last stop."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from agents.demo.cluster import Cluster, open_cluster
from agents.demo.console import DemoConsole, let_in
from agents.demo.figures import Report
from agents.demo.performance import Performance
from agents.demo.scenario import Play
from agents.demo.screen import Screen
from agents.demo.worker import Worker
from agents.settings.schema import Settings


def run(settings: Settings, play: Play, screen: Screen, sleep: Callable[[float], None]) -> Report:
    """Start everything, perform the play, and stop and remove everything, however it ends.

    It waits with `sleep`, which may raise to end it. Where the scenario stays, that is its end.

    Raises
    ------
    LocalKafkaError, TopicsError, DemoError
        When Kafka, the worker or the console cannot be started, or fails.
    """
    with ExitStack() as stack:
        with screen.step("Starting Apache Kafka; the first time, Maven copies its jars") as done:
            cluster = stack.enter_context(open_cluster(settings))
            cluster.make_topics()
            done(f"{cluster.name}: topics {cluster.topics.charges}, {cluster.topics.disputes}, ...")
        if not cluster.is_local:
            stack.callback(screen.say, _what_stays(cluster))
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="chargewatch-demo-"))
        )
        horizon_days = play.scenario.label_horizon_days
        console = stack.enter_context(DemoConsole(cluster, directory, horizon_days))
        with screen.step("Starting a worker; the first time, its kernels are compiled") as done:
            worker = stack.enter_context(Worker(cluster, directory, horizon_days))
            worker.wait_until_ready(sleep)
            done("one worker: it knows no dispute yet, and scores with a fixed prior")
        with screen.step("Starting the console") as done:
            password = let_in(cluster)
            console.wait_until_ready(sleep)
            done(_how_to_sign_in(console, password, cluster.settings.console_port))
        performance = stack.enter_context(
            Performance(cluster, worker, console, play, screen, sleep)
        )
        report = performance.perform()
        if play.scenario.stays:
            screen.summary(report)
            doing = f"The stream goes on, and the console stays at {console.url}; Ctrl-C ends it"
            with screen.step(doing), suppress(KeyboardInterrupt):
                performance.go_on()
        with screen.step("Stopping what was started"):
            stack.close()
    if not play.scenario.stays:
        screen.summary(report)
    return report


def _how_to_sign_in(console: DemoConsole, password: str, port: int) -> str:
    taken = "" if console.is_at(port) else f" (port {port} is taken)"
    return (
        f"the console is at {console.url}{taken}: sign in as viewer, analyst, manager or "
        f"administrator, by the password {password}"
    )


def _what_stays(cluster: Cluster) -> str:
    servers, prefix = cluster.settings.bootstrap_servers, cluster.topics.prefix
    return (
        f"The topics {prefix}* are still there; to delete them: kafka-topics.sh "
        f"--bootstrap-server {servers} --delete --topic '{prefix.replace('.', '[.]')}.*'"
    )
