"""What goes into a bundle, page by page; what cannot be had is told in its place."""

from __future__ import annotations

import platform
import time
import urllib.request
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_origin

import confluent_kafka
import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition
from confluent_kafka.admin import ConfigResource, OffsetSpec, ResourceType

from agents.inspection.contents import read_task, tasks_in
from agents.settings.schema import COST_FIELDS, FIELDS
from agents.stages.tasks import state_directory
from agents.support.scrubbing import scrubbed_line, scrubbed_metrics
from schemas.topics import TOPICS
from streams.engine.group_member import TaskTopics
from streams.kafka.config import SECURITY_SETTINGS
from streams.kafka.topics import TIMEOUT_S, answered, partitions_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.settings.schema import Settings
    from streams.kafka.config import Admin
    from streams.kafka.topics import Topics

LOG_LINES: Final = 2_000
_LOG_BYTES: Final = 4 << 20
_PAGE_BYTES: Final = 16 << 20
_ANSWER_S: Final = 10.0

_TEXTS: Final = {"application_id", "topic_prefix", "challengers", "entities"}
"""Settings of free text that are told; of the others it is told whether they are set."""

_TOLD: Final = {"KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_MECHANISMS"}
"""Variables of the Kafka client whose values are told."""

Page = dict[str, Any]


def about() -> Page:
    """Return versions."""
    return {
        "version": version("chargewatch"),
        "made_at": time.time(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "librdkafka": confluent_kafka.libversion()[0],
        "packages": dict(sorted((each.name, each.version) for each in distributions())),
    }


def settings_page(settings: Settings, env: Mapping[str, str]) -> Page:
    """Return the settings: numbers and choices as they are, of texts whether they are set."""
    shown: Page = {}
    for name, field in FIELDS.items():
        value = getattr(settings, name)
        is_told = isinstance(value, bool | int | float) or name in _TEXTS or _is_choice(field.type)
        shown[name] = value if is_told else ("set" if value not in {"", None} else "not set")
    shown["costs"] = {name: getattr(settings.costs, name) for name in COST_FIELDS}
    shown["signals"] = len(settings.signals)
    shown["payment_methods"] = len(settings.payment_methods)
    shown["kafka"] = {
        name: (value if name in _TOLD else "set")
        for name, value in sorted(env.items())
        if value and SECURITY_SETTINGS.fullmatch(name)
    }
    return shown


def topics_page(admin: Admin, topics: Topics) -> Page:
    """Return the topics with their partitions and the settings that are their own."""
    found = partitions_found(admin, [topics.named(row) for row in TOPICS])
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in found]
    asked = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    own = {
        resource.name: {
            name: entry.value
            for name, entry in answered(admin, "DescribeConfigs", resource.name, future).items()
            if not entry.is_default and not entry.is_sensitive
        }
        for resource, future in asked.items()
    }
    return {
        name: {"partitions": count, "settings": own.get(name, {})} for name, count in found.items()
    }


def group_page(admin: Admin, topics: Topics, group: str) -> Page:
    """Return how many workers there are, and how far they are in each partition."""
    members = [len(each.members) for each in admin.list_groups(group, timeout=TIMEOUT_S)]
    inputs = list(TaskTopics(topics).inputs.values())
    places = [
        TopicPartition(topic, number)
        for topic, count in partitions_found(admin, inputs).items()
        for number in range(count)
    ]
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = admin.list_offsets(
        dict.fromkeys(places, latest),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=TIMEOUT_S,
    )
    of_group = ConsumerGroupTopicPartitions(group, places)
    [asked] = admin.list_consumer_group_offsets([of_group], request_timeout=TIMEOUT_S).values()
    done = {(p.topic, p.partition): p.offset for p in asked.result().topic_partitions}
    return {
        "members": sum(members),
        "offsets": {
            f"{place.topic}[{place.partition}]": {
                "committed": done.get((place.topic, place.partition)),
                "end": end.result().offset,
            }
            for place, end in ends.items()
        },
    }


def state_page(settings: Settings) -> Page:
    """Return how large the state of the tasks on this machine is, by table and layout."""
    tasks = [read_task(number, path) for number, path in tasks_in(state_directory(settings))]
    return {
        str(each.task): msgspec.to_builtins(each)
        | {"path": None, "problem": each.problem and scrubbed_line(each.problem, known_names())}
        for each in tasks
    }


def log_lines(file: Path) -> str:
    """Return the last lines of a log."""
    with file.open("rb") as log:
        log.seek(max(file.stat().st_size - _LOG_BYTES, 0))
        lines = log.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    names = known_names()
    return "".join(f"{scrubbed_line(line, names)}\n" for line in lines)


def metrics_page(url: str) -> str:
    """Return what a process tells of itself on its page of metrics."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("expected the URL of a page")
    with urllib.request.urlopen(url, timeout=_ANSWER_S) as page:  # noqa: S310 - looked at above
        return scrubbed_metrics(page.read(_PAGE_BYTES).decode(errors="replace"), known_names())


def known_names() -> set[str]:
    """Return the names of ours that may stay in a text: of topics, settings and modules."""
    root = Path(__file__).parents[2]
    modules = {
        ".".join(file.relative_to(root).with_suffix("").parts)
        for top in ("agents", "schemas", "streams")
        for file in (root / top).rglob("*.py")
    }
    return {row.name for row in TOPICS} | set(FIELDS) | modules


def _is_choice(type_: Any) -> bool:
    """Tell whether a setting is one of a few words."""
    inner = getattr(type_, "__origin__", type_)
    return get_origin(inner) is Literal
