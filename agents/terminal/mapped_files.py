"""The sources of a command's files: as they are, or by a mapping."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from msgspec.structs import replace

from agents.terminal.event_files import LOOKED_AT, Kind, kind_of, survey
from agents.terminal.history_files import label_files
from schemas.signals import SIGNALS_MAX
from streams.events.files import FileError
from streams.events.sources import PlainFile
from streams.mapping.columns import fit
from streams.mapping.identifiers import KEY_BYTES_MIN
from streams.mapping.lookup import cards_of, charges_asked_for
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.mapping import Mapping
from streams.mapping.mistakes import MappingError
from streams.mapping.ready_mappings import find_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping as AnyMapping
    from collections.abc import Sequence
    from pathlib import Path

    from agents.settings.schema import Settings
    from streams.events.sources import Source
    from streams.mapping.mapping import Kind as MappedKind

_LABELS: Final[tuple[MappedKind, ...]] = ("dispute", "outcome")
_SOURCES_OF: Final[dict[MappedKind, Kind]] = {
    "charge": "charges",
    "dispute": "disputes",
    "outcome": "outcomes",
}

with_map = click.option(
    "--map",
    "mapping",
    metavar="NAME",
    help="Mapping of the columns: a ready one (`chargewatch map list`), or a file of TOML",
)


class Sources(NamedTuple):
    """What a history is read from."""

    charges: Source
    disputes: Sequence[Source] = ()
    outcomes: Sequence[Source] = ()

    @property
    def mapping(self) -> Mapping:
        """By which the charges are read, an empty one if they are as they are here."""
        return self.charges.mapping if isinstance(self.charges, MappedFile) else Mapping("none")

    @property
    def files(self) -> list[str]:
        """The files, each once."""
        return list(dict.fromkeys(str(source.path) for _, source in self.of_kinds()))

    def of_kinds(self) -> list[tuple[Kind, Source]]:
        """Return all sources with their kinds."""
        return [
            ("charges", self.charges),
            *(("disputes", source) for source in self.disputes),
            *(("outcomes", source) for source in self.outcomes),
        ]


def needed(mapping: Mapping, settings: Settings) -> Means:
    """Return what a mapping needs.

    Raises
    ------
    MappingError
        When the key of its hashes is missing, or short. It is never shown.
    """
    decimals = settings.input_rules.rates.decimals
    if not mapping.needs_key:
        return Means(decimals)
    key = os.environ.get(mapping.key_variable, "").encode(errors="surrogateescape")
    if len(key) < KEY_BYTES_MIN:
        found = "it is not set" if not key else "it is shorter"
        raise MappingError(
            f"{mapping.name}: identifiers are replaced by a keyed hash: set the environment "
            f"variable {mapping.key_variable} to at least {KEY_BYTES_MIN} characters of your own "
            f"({found})"
        )
    return Means(decimals, key)


def history_sources(
    charges: Path, labels: Sequence[Path], name: str | None, settings: Settings
) -> Sources:
    """Return what charges, disputes and outcomes are read from.

    Parameters
    ----------
    charges
        File of charges; with a mapping it may hold their disputes and outcomes as well.
    labels
        Files of disputes and outcomes; one whose events are already as they are here is read so.
    name
        Of the mapping, `None` for none.
    settings
        As for a worker.

    Raises
    ------
    MappingError
        When the mapping is wrong, or a file lacks what it names.
    FileError
        When a file cannot be read, or two hold the same.
    """
    if name is None:
        return plain_sources({"charges": charges, **label_files(tuple(labels))})
    mapping = find_mapping(name)
    means = needed(mapping, settings)
    found: dict[Kind, list[Source]] = {"charges": [], "disputes": [], "outcomes": []}
    for source in mapped_sources(charges, mapping, means, ("charge",)):
        found[_SOURCES_OF[source.kind]].append(source)
    (charged,) = found["charges"]
    for file in labels:
        if kind := plain_label_kind(file, settings):
            found[kind].append(PlainFile(file))
            continue
        for source in mapped_sources(file, mapping, means, _LABELS):
            found[_SOURCES_OF[source.kind]].append(source)
    own = [each for each in found["disputes"] + found["outcomes"] if isinstance(each, MappedFile)]
    give_cards(own, charged)
    return Sources(charged, found["disputes"], found["outcomes"])


def with_signals(settings: Settings, mapping: Mapping) -> Settings:
    """Return the settings with the signals of a mapping beside their own.

    Raises
    ------
    MappingError
        When they are too many, or one is a pattern of names, as no file tells them.
    """
    signals = {signal.name: signal for signal in settings.signals}
    for each in mapping.signals:
        if each.is_pattern:
            raise MappingError(
                f"{mapping.name}: signals.{each.path}: only the columns of a file tell what a "
                "pattern stands for: name the signals one by one"
            )
        signals[each.signal.name] = each.signal
    if len(signals) > SIGNALS_MAX:
        raise MappingError(f"{mapping.name}: {len(signals)} signals: at most {SIGNALS_MAX} can be")
    return replace(settings, signals=tuple(signals.values()))


def plain_sources(files: AnyMapping[Kind, Path]) -> Sources:
    """Return the sources of files that are read as they are."""
    disputes, outcomes = files.get("disputes"), files.get("outcomes")
    return Sources(
        PlainFile(files["charges"]),
        [] if disputes is None else [PlainFile(disputes)],
        [] if outcomes is None else [PlainFile(outcomes)],
    )


def mapped_sources(
    file: Path, mapping: Mapping, means: Means, kinds: tuple[MappedKind, ...]
) -> list[MappedFile]:
    """Return the sources of all kinds of events that a file gives by a mapping.

    Parameters
    ----------
    file
        What is read.
    mapping
        What its columns are.
    means
        What the mapping needs.
    kinds
        Of events, at least one of which it has to give.
    """
    fitted, notes = fit(mapping, file, kinds)
    given = [kind for kind in _SOURCES_OF if fitted.of_kind(kind)]
    return [
        MappedFile(file, fitted, kind, means, tells_unusable=not number, notes=set(notes))
        for number, kind in enumerate(given)
    ]


def published_sources(
    file: Path, mapping: Mapping, kind: Kind | None, charges: Path | None, settings: Settings
) -> list[tuple[Kind, MappedFile]]:
    """Return what is to be published of one file, charges first.

    Parameters
    ----------
    file
        What is published.
    mapping
        What its columns are.
    kind
        The only one that is published, `None` for all.
    charges
        File of the charges that disputes and outcomes are of, where it is another.
    settings
        As for a worker.
    """
    means = needed(mapping, settings)
    kinds: tuple[MappedKind, ...] = ("charge", *_LABELS)
    if kind is not None:
        kinds = tuple(each for each in kinds if _SOURCES_OF[each] == kind)
    found = mapped_sources(file, mapping, means, kinds)
    charged = next((source for source in found if source.kind == "charge"), None)
    if charges is not None:
        charged = mapped_sources(charges, mapping, means, ("charge",))[0]
    if charged is not None:
        give_cards([source for source in found if source.kind != "charge"], charged)
    return [(_SOURCES_OF[source.kind], source) for source in found]


def give_cards(labels: Sequence[MappedFile], charges: Source) -> None:
    """Complete disputes and outcomes that only name their charge by its card and merchant."""
    asking = [source for source in labels if _asks_for_cards(source)]
    asked = {charge for source in asking for charge in charges_asked_for(source.events())}
    cards = cards_of(asked, charges.events()) if asked else {}
    for source in asking:
        source.cards = cards


def plain_label_kind(file: Path, settings: Settings) -> Kind | None:
    """Return what a file of disputes or outcomes holds, if it can be used without a mapping."""
    try:
        kind = kind_of(file)
    except FileError:
        return None
    found = survey(PlainFile(file), kind, settings, LOOKED_AT)
    is_usable = not found.rejections.objection(str(file), found.events)
    return kind if is_usable and kind != "charges" else None


def tell_notes(sources: Sequence[Source], told: set[str]) -> None:
    """Say what a reader should know of the files, each once, on stderr."""
    for source in sources:
        for note in sorted(source.notes):
            line = note if note.startswith(str(source.path)) else f"{source.path}: {note}"
            if line not in told:
                told.add(line)
                click.echo(line, err=True)


def _asks_for_cards(source: MappedFile) -> bool:
    return any(
        not event.is_of_charge and not {"card", "merchant"} <= event.fields.keys()
        for event in source.mapping.of_kind(source.kind)
    )
