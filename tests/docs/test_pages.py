"""What each page has to hold: nothing that users rely on is missing from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agents.commands import VERBS
from agents.drift.quantities import WATCH
from agents.models.kinds import KINDS
from agents.settings.schema import COST_FIELDS, FIELDS
from schemas.charge import Charge
from schemas.drift import Drift
from schemas.scored import Scored
from schemas.topics import TOPICS
from streams.features.card_record import CARD
from streams.features.merchant_record import MERCHANT
from streams.features.shared_record import SHARED
from streams.features.windows import WINDOWS
from streams.kafka.topics import Topics
from streams.labels.pending import PENDING
from streams.wire.entity_events import ENTITY_EVENT, PART
from streams.wire.examples import EXAMPLE
from streams.wire.frames import FRAME
from streams.wire.matured import MATURED_CHARGE
from tests.docs.exported import PAGES, metrics_of
from tests.docs.pages import ROOT, first_cells, pages, prose, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SYNONYMS = ("scored event", "retries", "honest", "undisputed", "chargeback", "patience")
"""Words in whose place the glossary has another."""


def rows_of(page: str) -> list[str]:
    return [line for line in text_of(page).splitlines() if line.startswith("| ")]


def missing(names: Iterable[str], page: str) -> list[str]:
    """Return what has no row of its own in a table of a page."""
    return sorted(set(names) - first_cells(page))


def test_the_architecture_is_one_page() -> None:
    assert len(text_of("ARCHITECTURE.md").split()) <= 1200


def test_the_readme_has_the_two_commands() -> None:
    commands = re.findall(r"^make (\w+)", text_of("README.md"), re.MULTILINE)
    assert commands == ["demo", "test"]


def test_continuous_integration_installs_what_the_readme_tells_to() -> None:
    command = r"^apt-get install --no-install-recommends (.*)$"
    [told] = re.findall(command, text_of("README.md"), re.MULTILINE)
    [installed] = re.findall(r"^packages=\((.*)\)$", text_of(".ci/run"), re.MULTILINE)
    assert installed == told


def test_every_package_is_in_the_architecture() -> None:
    folders = [
        f"{top}/{child.name}"
        for top in ("agents", "streams")
        for child in (ROOT / top).iterdir()
        if (child / "__init__.py").exists()
    ]
    assert missing([*folders, "schemas/", "deploy/", "tests/"], "ARCHITECTURE.md") == []


def test_every_command_is_on_its_page() -> None:
    assert missing([f"chargewatch {verb}" for verb in VERBS], "agents/commands/README.md") == []


def test_every_setting_is_on_its_page() -> None:
    names = [*FIELDS, *(f"costs.{name}" for name in COST_FIELDS)]
    assert missing(names, "agents/settings/README.md") == []


def test_every_topic_is_on_its_page() -> None:
    assert missing(Topics().configs(), "streams/kafka/README.md") == []
    public = [topic.name for topic in TOPICS if topic.action != "internal"]
    assert missing(public, "schemas/README.md") == []


def test_every_field_of_an_event_is_on_its_page() -> None:
    fields = {*Charge.__struct_fields__, *Scored.__struct_fields__}
    assert missing(fields, "schemas/README.md") == []
    section = text_of("schemas/README.md").partition("## Drift events")[2].partition("## ")[0]
    assert [name for name in Drift.__struct_fields__ if f"`{name}`" not in section] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_is_on_its_page_with_its_labels(page: str) -> None:
    rows = rows_of(page)
    found = metrics_of(PAGES[page])
    assert len(found) > 5
    for name, type_, labels in found:
        [row] = [row for row in rows if f"`{name}`" in row.split("|")[1]]
        _, _, kind, given, *_ = row.split("|")
        assert kind.strip() == type_, name
        assert [label for label in labels if f"`{label}`" not in given] == [], name
    told = {name for name in first_cells(page) if name.startswith("chargewatch_")}
    assert told == {each.name for each in found}


def test_every_kind_of_model_is_on_its_pages() -> None:
    assert missing(KINDS, "agents/models/README.md") == []
    assert missing(KINDS, "agents/learning/README.md") == []


def test_every_signal_is_on_its_page() -> None:
    assert missing((quantity.name for quantity in WATCH.quantities), "agents/drift/README.md") == []


def test_every_window_is_on_its_page() -> None:
    rows = rows_of("streams/features/README.md")
    for window in WINDOWS:
        length = window.text if window.text[0].isdigit() else f"1 {window.text}"
        assert [row for row in rows if row.startswith(f"| {length} | {window.tiles} ")]


def test_records_have_their_documented_sizes() -> None:
    rows = "\n".join(rows_of("streams/state/README.md"))
    for what, dtype in (
        ("card record", CARD),
        ("merchant record", MERCHANT),
        ("shared entity record", SHARED),
        ("entity event", ENTITY_EVENT),
        ("part", PART),
        ("pending charge", PENDING),
        ("frame", FRAME),
        ("example", EXAMPLE),
        ("matured charge", MATURED_CHARGE),
    ):
        assert re.search(rf"^\| {what} \| {dtype.itemsize:,}\b", rows, re.MULTILINE), what


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page.name not in {"RESULTS.md", "GLOSSARY.md"}],
    ids=str,
)
def test_one_word_a_concept(page: Path) -> None:
    text = prose(page).lower()
    assert [word for word in SYNONYMS if re.search(rf"\b{word}", text)] == []
