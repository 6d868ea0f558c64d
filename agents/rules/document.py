"""Write the table of attributes into the README of this package; run it when one changes."""

from pathlib import Path

from agents.rules.attributes import ATTRIBUTES
from schemas.generated_part import with_part

README = Path(__file__).with_name("README.md")


def attribute_table() -> str:
    """Return the attributes as a table in Markdown.

    >>> attribute_table().splitlines()[2]
    '| `:id:` | text | charge | unique charge id |'
    """
    rows = ["| attribute | type | from | meaning |", "| --- | --- | --- | --- |"]
    for attribute in ATTRIBUTES.values():
        kind = ", ".join(f'`"{choice}"`' for choice in attribute.texts.choices) or attribute.type
        cells = (f"`:{attribute.name}:`", kind, attribute.source, attribute.description)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def with_table(document: str) -> str:
    """Return the document with the table between its marks brought up to date."""
    return with_part(document, "attributes", attribute_table())


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
