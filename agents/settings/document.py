"""Write the table of settings into the README of this package; run it when a setting changes."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import NODEFAULT

from agents.settings.costs import Costs
from agents.settings.schema import COST_FIELDS, FIELDS
from agents.settings.sources import describe, variable
from schemas.generated_part import with_part

README = Path(__file__).with_name("README.md")


def with_table(document: str) -> str:
    """Return the document with the table of now between its markers."""
    return with_part(document, "settings", "".join(_lines()))


def _lines() -> Iterator[str]:
    yield "| setting | environment variable | default | meaning |\n"
    yield "| --- | --- | --- | --- |\n"
    for name, field in FIELDS.items():
        default = "host and pid" if field.default is NODEFAULT else _written(field.default)
        yield _row(name, default, describe(name))
    meanings = _cost_meanings()
    for name in COST_FIELDS:
        yield _row(f"costs.{name}", _written(getattr(Costs(), name)), meanings[name])


def _row(name: str, default: str, meaning: str) -> str:
    return f"| `{name}` | `{variable(name)}` | {default} | {meaning} |\n"


def _written(default: object) -> str:
    if isinstance(default, float):
        return f"{default:g}"
    return str(default or "none") if isinstance(default, (str, tuple)) else str(default)


def _cost_meanings() -> dict[str, str]:
    """Read what each cost means out of the docstring of the cost table.

    >>> _cost_meanings()["review_cost_usd"]
    "an analyst's minutes"
    """
    found = re.findall(r"^(\w+)\n    (.+)\.$", inspect.getdoc(Costs) or "", re.MULTILINE)
    return {name: text[0].lower() + text[1:] for name, text in found}


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
