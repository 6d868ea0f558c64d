"""Write what the chart has of the program: topics, settings, rights of users, alerts.

Run it when one of them changes.
"""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import msgspec

from agents.settings.costs import Costs
from agents.settings.schema import COSTS, FIELDS, PAYMENT_METHODS, SIGNALS
from schemas.topics import TOPICS
from streams.kafka.roles import ROLES
from streams.kafka.topics import Topics

CHART: Final = Path(__file__).with_name("chart")
TOPICS_FILE: Final = CHART / "files/topics.json"
RIGHTS_FILE: Final = CHART / "files/rights.json"
ALERTS_FILE: Final = CHART / "files/alerts.yml"
SCHEMA_FILE: Final = CHART / "values.schema.json"

OF_THE_CHART: Final = frozenset(
    {
        "bootstrap_servers",
        "instance_id",
        "worker_id",
        "state_dir",
        "web_port",
        "api_host",
        "api_port",
        "api_tls_cert",
        "api_tls_key",
        "console_host",
        "console_port",
        "console_tls_cert",
        "console_tls_key",
        "console_url",
    }
)
"""Settings that follow from other values, such as the name of a pod."""

SECRETS: Final = frozenset(
    {"card_hash_key", "holdout_key", "console_oidc_client_secret", "read_model_url"}
)
"""Settings that belong into a Secret and not among the values."""


COMPONENTS: Final = {
    "worker": "worker",
    "api": "serve",
    "console": "console",
    "operator": "operator",
}
"""Users of the chart, and their roles."""

PREFIX: Final = "topic_prefix-"
APPLICATION: Final = "application_id"
"""What stands in the file of rights where the chart puts the settings of these names."""


def rights() -> dict[str, list[dict[str, Any]]]:
    """Return what the user of each component may do, as Strimzi has it."""
    return {component: _acls(role) for component, role in COMPONENTS.items()}


def _acls(role: str) -> list[dict[str, Any]]:
    operations: dict[tuple[str, str, bool], list[str]] = {}
    for right in ROLES[role].rights(Topics(PREFIX), APPLICATION):
        resource = right.kind.replace("-id", "Id"), right.name, right.is_prefix
        operations.setdefault(resource, []).append(right.operation)
    return [
        {
            "type": kind,
            "name": name,
            "patternType": "prefix" if is_prefix else "literal",
            "operations": allowed,
        }
        for (kind, name, is_prefix), allowed in operations.items()
    ]


def topics() -> list[dict[str, Any]]:
    """Return the topics as `chargewatch topics` makes them, without a prefix."""
    configs = Topics().configs()
    return [
        {
            "name": row.name,
            "onePartition": row.partitions == "one",
            "forLabelHorizon": row.kept == "horizon",
            "config": configs[row.name],
        }
        for row in TOPICS
    ]


def alerts() -> str:
    """Return the alerts."""
    return Path(__file__).with_name("monitoring").joinpath("alerts.yml").read_text(encoding="utf-8")


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the value `settings`."""
    names = [name for name in FIELDS if name not in OF_THE_CHART | SECRETS]
    costs = {field.name: {"type": "number"} for field in fields(Costs)}
    table = {"type": "object"}
    return {
        "type": "object",
        "description": "settings of the installation, as in chargewatch.toml",
        "additionalProperties": False,
        "properties": {name: msgspec.json.schema(FIELDS[name].type) for name in names}
        | {
            COSTS: table | {"additionalProperties": False, "properties": costs},
            SIGNALS: table,
            PAYMENT_METHODS: table,
        },
    }


def with_settings(schema: str) -> str:
    """Return the schema of the values with the settings of now."""
    document = json.loads(schema)
    document["properties"]["settings"] = settings_schema()
    return _written(document)


def _written(document: object) -> str:
    text = json.dumps(document, indent=2)
    # A list of numbers or words on one line.
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text) + "\n"


if __name__ == "__main__":
    TOPICS_FILE.write_text(_written(topics()), encoding="utf-8")
    RIGHTS_FILE.write_text(_written(rights()), encoding="utf-8")
    ALERTS_FILE.write_text(alerts(), encoding="utf-8")
    SCHEMA_FILE.write_text(with_settings(SCHEMA_FILE.read_text(encoding="utf-8")), encoding="utf-8")
