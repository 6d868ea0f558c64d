"""What the chart has of the program follows it, and its variants are values that it takes."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agents.settings.schema import FIELDS
from deploy.chart_files import (
    ALERTS_FILE,
    CHART,
    OF_THE_CHART,
    RIGHTS_FILE,
    SCHEMA_FILE,
    SECRETS,
    TOPICS_FILE,
    alerts,
    rights,
    topics,
    with_settings,
)
from streams.kafka.topics import Topics, _agree

VARIANTS = sorted(CHART.glob("ci/*.yaml"))


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_topics_are_those_that_are_made() -> None:
    assert json.loads(TOPICS_FILE.read_text()) == topics(), "python -m deploy.chart_files"


def test_topics_have_the_partitions_that_are_made() -> None:
    made = _agree(Topics(), {}, 12)
    assert {row["name"]: 1 if row["onePartition"] else 12 for row in topics()} == made


def test_a_longer_horizon_changes_what_the_chart_changes() -> None:
    usual, longer = Topics().configs(), Topics().configs(label_horizon_days=45)
    changed = {name for name in usual if usual[name] != longer[name]}
    assert changed == {row["name"] for row in topics() if row["forLabelHorizon"]}
    for name in changed:
        assert longer[name] == usual[name] | {"retention.ms": str(45 * 86400000)}


def test_settings_are_those_there_are() -> None:
    schema = SCHEMA_FILE.read_text()
    assert schema == with_settings(schema), "python -m deploy.chart_files"


def test_alerts_are_those_there_are() -> None:
    assert ALERTS_FILE.read_text() == alerts(), "python -m deploy.chart_files"


def test_settings_of_the_chart_and_secrets_exist() -> None:
    assert set(FIELDS) >= OF_THE_CHART | SECRETS


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda file: file.stem)
def test_variants_are_values(variant: Path) -> None:
    values = _merged(_yaml(CHART / "values.yaml"), _yaml(variant))
    jsonschema.validate(values, json.loads(SCHEMA_FILE.read_text()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("settings", "max_batchh"), 100),
        (("settings", "web_port"), 6066),
        (("settings", "holdout_key"), "a secret that would be readable"),
        (("settings", "label_horizon_days"), 181),
        (("settings", "processing_guarantee"), "at_most_once"),
        (("settings", "costs"), {"dispute_fee": 1}),
        (("worker", "replica"), 3),
        (("kafka", "bootstrapServers"), ""),
        (("kafka", "authentication"), "plain"),
        (("image", "digest"), "sha256:0"),
        (("console", "url"), "http://fraud.example"),
    ],
)
def test_wrong_values_are_refused(path: tuple[str, str], value: object) -> None:
    values = _merged(_yaml(CHART / "values.yaml"), _yaml(CHART / "ci/plain.yaml"))
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.validate(values, schema)
    values[path[0]][path[1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema)


def test_every_value_is_in_the_readme() -> None:
    page = (CHART / "README.md").read_text()
    missing = [name for name in _names(_yaml(CHART / "values.yaml")) if f"`{name}`" not in page]
    assert not missing


def test_rights_are_those_of_the_roles() -> None:
    assert json.loads(RIGHTS_FILE.read_text()) == rights(), "python -m deploy.chart_files"


def _merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return values with others over them, as helm does."""
    merged = dict(values)
    for name, value in more.items():
        old = merged.get(name)
        is_table = isinstance(old, dict) and isinstance(value, dict)
        merged[name] = _merged(old, value) if is_table and isinstance(old, dict) else value
    return merged


def _names(values: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict) and value and name != "resources":
            names += _names(value, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names
