"""A mapping: a page of TOML that says what the columns of a file are."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.events.csv_text import Dialect

if TYPE_CHECKING:
    from schemas.signals import Signal
    from streams.mapping.conditions import Condition
    from streams.mapping.fields import FieldSpec

Kind = Literal["charge", "dispute", "outcome"]

KINDS: Final[tuple[Kind, ...]] = ("charge", "dispute", "outcome")
FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    "charge": Charge.__struct_fields__,
    "dispute": Dispute.__struct_fields__,
    "outcome": Outcome.__struct_fields__,
}
OWN_NAMES: Final = frozenset({name for names in FIELDS.values() for name in names} | {"object"})
"""Names that mean something in an event: a column is never carried along under one of them."""

KEY_VARIABLE: Final = "CHARGEWATCH_MAPPING_KEY"

REQUIRED: Final[dict[Kind, tuple[str, ...]]] = {
    "charge": ("id", "created", "amount", "currency", "card", "merchant"),
    "dispute": ("charge", "created"),
    "outcome": ("charge", "created"),
}


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event that a row may become.

    Attributes
    ----------
    kind
        What it is.
    place
        Where it is in the mapping.
    fields
        By name.
    when
        Conditions that have to hold for the row.
    delay_days
        How long after its time it was known: a number, or a path to one.
    is_of_charge
        Whether it is about the charge that is made of the same row.
    """

    kind: Kind
    place: str
    fields: dict[str, FieldSpec]
    when: tuple[Condition, ...] = ()
    delay_days: float | str = 0.0
    is_of_charge: bool = False

    @property
    def paths(self) -> set[str]:
        """All that is read of a row for it."""
        paths = {path for spec in self.fields.values() for path in spec.paths}
        paths |= {condition.path for condition in self.when}
        return paths | ({self.delay_days} if isinstance(self.delay_days, str) else set())


@dataclass(frozen=True, slots=True)
class MappedSignal:
    """A signal, and where it is from.

    Attributes
    ----------
    path
        Of its column.
    signal
        What it is.
    is_pattern
        Whether the path stands for whatever columns have such names, which a file tells.
    """

    path: str
    signal: Signal
    is_pattern: bool = False

    @property
    def is_renamed(self) -> bool:
        """Whether its column has another name."""
        return self.path != self.signal.name


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a page of TOML says.

    Attributes
    ----------
    name
        In messages.
    description
        A line about it.
    events
        That a row may become, charges first.
    dialect
        How CSV is written, where that is said.
    missing
        Texts that stand for nothing.
    leave_out
        Sets of conditions; a row of which one holds is left out.
    carry
        Patterns of names of columns that are carried along.
    numbers
        Patterns of names of columns that are carried along as numbers.
    signals
        Columns from which models learn, carried along.
    key_variable
        Environment variable of the key of keyed hashes.
    """

    name: str
    description: str = ""
    events: tuple[EventSpec, ...] = ()
    dialect: Dialect = field(default_factory=Dialect)
    missing: frozenset[str] = frozenset()
    leave_out: tuple[tuple[Condition, ...], ...] = ()
    carry: tuple[str, ...] = ("*",)
    numbers: tuple[str, ...] = ()
    signals: tuple[MappedSignal, ...] = ()
    key_variable: str = KEY_VARIABLE

    @property
    def needs_key(self) -> bool:
        """Whether anything is replaced by a keyed hash."""
        return any(spec.is_hashed for event in self.events for spec in event.fields.values())

    @property
    def paths(self) -> set[str]:
        """All that is read of a row."""
        read = {condition.path for conditions in self.leave_out for condition in conditions}
        read |= {each.path for each in self.signals if each.is_renamed}
        return read.union(*(event.paths for event in self.events))

    def carries(self, name: str) -> bool:
        """Return whether a column that is not read otherwise is carried along."""
        return name not in OWN_NAMES and any(fnmatchcase(name, each) for each in self._carried)

    def carries_in_any_case(self, name: str) -> bool:
        """Return whether a column is carried along even if it is read: one that is named."""
        return name in self._carried and name not in OWN_NAMES and name not in self.secret

    @property
    def _carried(self) -> tuple[str, ...]:
        return (*self.carry, *(each.path for each in self.signals if not each.is_renamed))

    @property
    def secret(self) -> set[str]:
        """What is only to be seen as a keyed hash."""
        fields = (spec for event in self.events for spec in event.fields.values())
        return {path for spec in fields if spec.is_hashed for path in spec.paths}

    def is_number(self, name: str) -> bool:
        """Return whether a column is carried along as a number."""
        of_signals = (each.path for each in self.signals if each.signal.kind == "number")
        return any(fnmatchcase(name, each) for each in (*self.numbers, *of_signals))

    def of_kind(self, kind: Kind) -> tuple[EventSpec, ...]:
        """Return the events of a kind."""
        return tuple(event for event in self.events if event.kind == kind)
