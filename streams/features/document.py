"""Write the table of features into the README of this package; run it when a feature changes."""

from pathlib import Path

from schemas.generated_part import with_part
from streams.features.entities import FEATURES

README = Path(__file__).with_name("README.md")


def feature_table() -> str:
    """Return the features as a table in Markdown.

    >>> feature_table().splitlines()[2]
    '| `amount` | reference currency | log1p | never | an amount of … |'
    """
    rows = [
        "| feature | unit | transform | if missing | in words |",
        "| --- | --- | --- | --- | --- |",
    ]
    for feature in FEATURES:
        words = _words(feature.text)
        cells = (f"`{feature.name}`", feature.unit, feature.transform, feature.missing, words)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def with_table(document: str) -> str:
    """Return the document with the table between its marks brought up to date."""
    return with_part(document, "features", feature_table())


def _words(template: str) -> str:
    """Return a reason's text with an ellipsis for its value."""
    before, brace, rest = template.partition("{value")
    return before + "…" + rest.partition("}")[2] if brace else template


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
