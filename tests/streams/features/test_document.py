"""The table of features that readers see is that of the code."""

from streams.features.document import README, with_table
from streams.features.entities import FEATURE_NAMES


def test_the_table_is_current() -> None:
    document = README.read_text(encoding="utf-8")
    assert document == with_table(document), "run: python -m streams.features.document"
    assert [name for name in FEATURE_NAMES if f"\n| `{name}` |" not in document] == []
