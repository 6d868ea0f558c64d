"""How a worker and the read model read the payloads of inputs, as it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.terminal.mapped_files import needed, with_signals
from agents.terminal.registry import registry_of
from streams.formats.payloads import Payloads
from streams.mapping.messages import MessageMapping
from streams.mapping.ready_mappings import find_mapping

if TYPE_CHECKING:
    from agents.settings.schema import Settings
    from streams.kafka.clients import Clients


def payloads_of(settings: Settings, clients: Clients) -> Payloads | None:
    """Return what reads payloads, `None` where all are plain JSON of our events.

    Raises
    ------
    OperationalError
        As `registry_of` and `mapping_of`.
    """
    registry, mapping = registry_of(settings), mapping_of(settings)
    if registry is None:
        return None if mapping is None else Payloads(mapping=mapping)
    from streams.kafka.registry_schemas import RegistrySchemas  # noqa: PLC0415 # as `registry_of`

    return Payloads(RegistrySchemas(registry, clients), mapping)


def mapping_of(settings: Settings) -> MessageMapping | None:
    """Return the mapping of messages, `None` where there is none.

    Raises
    ------
    OperationalError
        When there is no such mapping, it is wrong or not for messages, or its key is missing.
    """
    if not settings.mapping:
        return None
    mapping = find_mapping(settings.mapping)
    return MessageMapping(mapping, needed(mapping, settings))


def with_mapped_signals(settings: Settings) -> Settings:
    """Return the settings with the signals of the mapping of messages.

    Raises
    ------
    MappingError
        As `with_signals`.
    """
    return with_signals(settings, find_mapping(settings.mapping)) if settings.mapping else settings
