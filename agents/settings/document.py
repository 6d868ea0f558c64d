"""Write the tables of settings and of payment methods into the README of this package.

Run it when one of them changes.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import NODEFAULT

from agents.settings.costs import Costs
from agents.settings.schema import COST_FIELDS, FIELDS
from agents.settings.sources import describe, variable
from schemas.generated_part import with_part
from schemas.method_table import CARD, METHODS, PaymentMethod

README = Path(__file__).with_name("README.md")


def with_table(document: str) -> str:
    """Return the document with the tables of now between their markers."""
    document = with_part(document, "payment methods", "".join(_method_lines()))
    return with_part(document, "settings", "".join(_lines()))


def _method_lines() -> Iterator[str]:
    columns = ("card_fields", "actions", "label_horizon_days", "dispute_retention_days")
    yield f"| method | {' | '.join(f'`{column}`' for column in columns)} |\n"
    yield "| --- | --- | --- | --- | --- |\n"
    for method in (PaymentMethod(name=CARD), *METHODS):
        names = ", ".join(f"`{name}`" for name in (method.name, *method.aliases))
        cells = (
            names,
            ", ".join(method.card_fields) or "none",
            ", ".join(method.actions),
            _days(method.label_horizon_days),
            _days(method.dispute_retention_days),
        )
        yield f"| {' | '.join(cells)} |\n"


def _days(own: float | None) -> str:
    return "the installation's" if own is None else f"{own:g}"


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
    if isinstance(default, tuple):
        return ",".join(default) or "none"
    return str(default or "none") if isinstance(default, str) else str(default)


def _cost_meanings() -> dict[str, str]:
    """Read what each cost means out of the docstring of the cost table.

    >>> _cost_meanings()["review_cost_usd"]
    "an analyst's minutes"
    """
    found = re.findall(r"^(\w+)\n    (.+)\.$", inspect.getdoc(Costs) or "", re.MULTILINE)
    return {name: text[0].lower() + text[1:] for name, text in found}


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
