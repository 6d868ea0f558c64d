"""The table of settings that users read is that of the code, and says what is so."""

import re

import pytest

from agents.settings.document import README, with_table
from agents.settings.schema import COST_FIELDS, FIELDS
from agents.settings.sources import load_settings

ROW = re.compile(r"^\| `([a-z_.]+)` \| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str, str]]:
    table = README.read_text(encoding="utf-8").partition("<!-- settings -->")[2]
    return ROW.findall(table.partition("<!-- end of settings -->")[0])


def test_the_table_is_current() -> None:
    document = README.read_text(encoding="utf-8")
    assert document == with_table(document), "run: python -m agents.settings.document"
    names = {name for name, *_ in rows()}
    assert names == {*FIELDS, *(f"costs.{name}" for name in COST_FIELDS)}


@pytest.mark.parametrize(
    "row", [row for row in rows() if row[2] not in {"none", "host and pid"}], ids=lambda row: row[0]
)
def test_a_documented_variable_with_its_documented_default_changes_nothing(
    row: tuple[str, str, str, str],
) -> None:
    _, variable, default, _ = row
    env = {"CHARGEWATCH_WORKER_ID": "w"}
    assert load_settings({}, env | {variable: default}) == load_settings({}, env)
