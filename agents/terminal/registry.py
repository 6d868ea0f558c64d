"""The schema registry of an installation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.settings.schema import Settings
    from streams.kafka.schema_registry import SchemaRegistry


def registry_of(settings: Settings) -> SchemaRegistry | None:
    """Return the registry as it is set, which is not asked yet; `None` where there is none.

    Raises
    ------
    OperationalError
        When a setting of its client is wrong, or what it needs is not installed.
    """
    if not settings.schema_registry_url:
        return None
    # What it needs is not installed everywhere, and takes a while to load.
    from streams.kafka.schema_registry import SchemaRegistry  # noqa: PLC0415

    return SchemaRegistry(settings.schema_registry_url, os.environ)
