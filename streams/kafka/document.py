"""Write the table of roles and their rights into the page on security.

Run it when the table of roles changes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.generated_part import with_part
from schemas.topics import TOPICS
from streams.kafka.roles import ROLES, Role
from streams.kafka.topics import Topics

README: Final = Path(__file__).parents[2] / "deploy" / "security" / "README.md"

_TOPICS: Final = Topics()
_GROUP: Final = "chargewatch"


def with_table(document: str) -> str:
    """Return the document with the tables of now between their markers."""
    document = with_part(document, "rights on topics", "".join(_topic_lines()))
    return with_part(document, "other rights", "".join(_other_lines()))


def _topic_lines() -> Iterator[str]:
    yield f"| topic | {' | '.join(f'`{role}`' for role in ROLES)} |\n"
    yield f"| --- |{' --- |' * len(ROLES)}\n"
    for row in TOPICS:
        cells = [_operations(role, row.name) for role in ROLES.values()]
        yield f"| `{row.name}` | {' | '.join(cells)} |\n"


def _operations(role: Role, topic: str) -> str:
    rights = role.rights(_TOPICS, _GROUP)
    return ", ".join(each.operation for each in rights if each[1:3] == ("topic", topic))


def _other_lines() -> Iterator[str]:
    yield "| role | | groups | transactional ids |\n"
    yield "| --- | --- | --- | --- |\n"
    for name, role in ROLES.items():
        yield f"| `{name}` | {role.does} | {_names(role, 'group')} | "
        yield f"{_names(role, 'transactional-id')} |\n"


def _names(role: Role, kind: str) -> str:
    return ", ".join(
        f"{right.operation} `{right.name}{'*' if right.is_prefix else ''}`"
        for right in role.rights(_TOPICS, _GROUP)
        if right.kind == kind
    )


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
