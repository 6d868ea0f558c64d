"""How a worker reads the payloads of its inputs, as it is set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from streams.formats.payloads import Payloads

if TYPE_CHECKING:
    from agents.settings.schema import Settings
    from streams.kafka.clients import Clients


def payloads_of(settings: Settings, clients: Clients) -> Payloads | None:
    """Return what reads payloads, `None` where all are plain JSON.

    Raises
    ------
    RegistryError
        When a setting of the schema registry's client is wrong.
    """
    if not settings.schema_registry_url:
        return None
    # What it needs is not installed everywhere, and takes a while to load.
    from streams.kafka.registry_schemas import RegistrySchemas  # noqa: PLC0415
    from streams.kafka.schema_registry import SchemaRegistry  # noqa: PLC0415

    registry = SchemaRegistry(settings.schema_registry_url, os.environ)
    return Payloads(RegistrySchemas(registry, clients))
