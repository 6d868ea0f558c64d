"""The schema registry: a client of it, and what of its answers means what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from streams.errors import OperationalError

try:
    import httpx2
    from confluent_kafka.schema_registry import Schema as WrittenSchema
    from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
    from confluent_kafka.schema_registry.error import OAuthTokenError
except ImportError as missing:
    raise OperationalError(
        f"schema_registry_url: needs packages that are not installed ({missing}): "
        "pip install '.[registry]'"
    ) from None

from streams.formats.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.formats.schema import SchemaId, SchemaKind

CLIENT_SETTINGS: Final = re.compile(
    r"SCHEMA_REGISTRY_((SSL|BEARER_AUTH)_\w+|BASIC_AUTH_USER_INFO|PROXY)"
)
"""The environment variables that are passed on to the client."""

_PREFIX: Final = "SCHEMA_REGISTRY_"
_ANSWER_S: Final = 5.0
_SERIALIZED: Final = "serialized"

_NO_SCHEMA: Final = 40403
_NO_SUBJECT: Final = 40401
_CONFLICT: Final = 409
_REFUSED: Final = (401, 403)


class RegistryError(OperationalError):
    """The registry refuses what is asked of it, and waiting does not help."""


class RegistryAwayError(Exception):
    """The registry cannot be asked now: says why."""


class SchemaRegistry:
    """Asks a schema registry, once a call.

    Parameters
    ----------
    url
        Its address, or several with commas between.
    env
        The environment; only the client's settings are looked at: the name of one in capitals after
        ``SCHEMA_REGISTRY_``, with ``_`` for each dot.

    Raises
    ------
    RegistryError
        When the client refuses a setting.
    """

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        config: dict[str, object] = {"url": url, "timeout": _ANSWER_S, "max.retries": 0}
        for variable, value in env.items():
            if value and CLIENT_SETTINGS.fullmatch(variable):
                config[variable.removeprefix(_PREFIX).lower().replace("_", ".")] = value
        try:
            self._client = SchemaRegistryClient(config)
        except (ValueError, TypeError, OSError) as error:
            set_ = ", ".join(name for name in env if CLIENT_SETTINGS.fullmatch(name))
            raise RegistryError(f"schema_registry_url, {set_}: {error}") from None

    def schema(self, schema_id: SchemaId) -> Schema | None:
        """Return a schema with all that it refers to, `None` where the registry has none.

        Raises
        ------
        RegistryAwayError
            When it cannot be asked.
        RegistryError
            When it refuses to answer.
        """
        try:
            return self._with_references(self._fetched(schema_id))
        except SchemaRegistryError as error:
            if error.error_code == _NO_SCHEMA:
                return None
            raise _meant(error) from None
        except _TROUBLE as error:
            raise RegistryAwayError(_said(error)) from None

    def register(self, subject: str, kind: SchemaKind, text: str) -> int:
        """Register a schema, if it is compatible with those of its subject, and return its number.

        Raises
        ------
        RegistryAwayError
            When the registry cannot be asked.
        RegistryError
            When it is not compatible, or the registry refuses it.
        """
        schema = WrittenSchema(text, kind)
        try:
            if not self._is_compatible(subject, schema):
                raise _incompatible(subject)
            return self._client.register_schema(subject, schema)
        except SchemaRegistryError as error:
            if error.http_status_code == _CONFLICT:
                raise _incompatible(subject) from None
            raise _meant(error) from None
        except _TROUBLE as error:
            raise RegistryAwayError(_said(error)) from None

    def _is_compatible(self, subject: str, schema: WrittenSchema) -> bool:
        try:
            return bool(self._client.test_compatibility(subject, schema))
        except SchemaRegistryError as error:
            if error.error_code == _NO_SUBJECT:
                return True
            raise

    def _fetched(self, schema_id: SchemaId) -> WrittenSchema:
        """Return a schema as it is; of Protobuf in the form that needs no compiler."""
        schema = self._ask(schema_id, None)
        if schema.schema_type == "PROTOBUF":
            self._client.clear_caches()  # type: ignore[no-untyped-call] # it tells no forms apart
            schema = self._ask(schema_id, _SERIALIZED)
        return schema

    def _ask(self, schema_id: SchemaId, form: str | None) -> WrittenSchema:
        if isinstance(schema_id, UUID):
            return self._client.get_schema_by_guid(str(schema_id), fmt=form)
        return self._client.get_schema(schema_id, fmt=form)

    def _with_references(self, schema: WrittenSchema) -> Schema:
        kind = cast("SchemaKind", schema.schema_type or "AVRO")
        found: dict[str, str] = {}
        self._add_references(schema, _SERIALIZED if kind == "PROTOBUF" else None, found)
        return Schema(kind, schema.schema_str or "", tuple(found.items()))

    def _add_references(
        self, schema: WrittenSchema, form: str | None, found: dict[str, str]
    ) -> None:
        """Add what a schema refers to, each behind what it refers to itself."""
        for reference in schema.references or []:
            assert reference.name is not None
            assert reference.subject is not None
            assert reference.version is not None
            if reference.name not in found:
                referred = self._client.get_version(
                    reference.subject, reference.version, deleted=True, fmt=form
                ).schema
                self._add_references(referred, form, found)
                found[reference.name] = referred.schema_str or ""


_TROUBLE: Final = (httpx2.HTTPError, OAuthTokenError, ValueError)
"""What asking raises beside the registry's own errors; the last of an answer that is no JSON."""


def _meant(error: SchemaRegistryError) -> Exception:
    """Return what an answer means that is none to the question."""
    if error.http_status_code in _REFUSED:
        return RegistryError(
            f"the schema registry refuses to answer ({error}): set {_PREFIX}BASIC_AUTH_USER_INFO, "
            "or what else it asks for"
        )
    return RegistryAwayError(_said(error))


def _incompatible(subject: str) -> RegistryError:
    return RegistryError(
        f"scored_format: the schema of scored charges is not compatible with the newest of the "
        f"subject {subject}: set the compatibility of that subject to NONE until this worker has "
        "registered it, or delete the subject, or set scored_format to json"
    )


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
