"""What the worker had counted of a card, a merchant or another when it scored a charge."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.terminal.kept_vectors import ScoredAt
from agents.web.console.app import Page
from agents.web.console.pages.charges import SHARED
from agents.web.console.rendering import took
from agents.web.problems import Problem
from agents.web.read_model.queries.charge_view import charge_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from agents.terminal.kept_vectors import KeptVectors
    from agents.web.console.reader import Reader
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from streams.features.spec import Feature

_SCOPES: Final = {"card": "card", "merchant": "merchant"}

_OF_THE_CHARGE: Final = {"flag", "ln", "ln squared", "standard deviations"}
"""Units of features that say how the charge itself compares with the others."""

_SECONDS: Final = "{value:.0f} s"


class Aggregate(NamedTuple):
    """What was counted or added up, in words, and the attribute of rules that it is."""

    words: str
    attribute: str


class AggregatePages:
    """The parts of pages that tell what the worker counts.

    Parameters
    ----------
    templates, reader
        Of the console.
    vectors
        Looks up what the worker computed.
    features
        All that it computes.
    """

    def __init__(
        self,
        templates: Templates,
        reader: Reader,
        vectors: Turns[KeptVectors],
        features: Sequence[Feature],
    ) -> None:
        self._templates = templates
        self._reader = reader
        self._vectors = vectors
        self._features = features

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/aggregates", self.show, "viewer")

    async def show(self, visit: Visit) -> Response:
        """Tell what the worker had counted when it scored a charge, that one included."""
        kind, charge, card = visit.query("kind"), visit.query("id"), visit.query("card") or None
        view = await self._reader.run(lambda connection: charge_view(connection, charge, card))
        if kind not in SHARED or view is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such page")
        line = view.line
        scored = ScoredAt(line.charge, line.card, line.merchant, line.created, view.written_at)
        vector = await self._vectors.run(lambda vectors: vectors.find(scored))
        return self._templates.part(
            visit,
            "aggregates.html",
            what=SHARED[kind],
            line=line,
            aggregates=None if vector is None else list(self._aggregates(kind, vector)),
        )

    def _aggregates(self, kind: str, vector: Mapping[str, float]) -> Iterable[Aggregate]:
        for feature in self._features:
            is_of_it = feature.scope == _SCOPES.get(kind, "entity")
            is_of_it = is_of_it and feature.name.startswith(f"{kind}_")
            if is_of_it and feature.unit not in _OF_THE_CHARGE:
                yield Aggregate(in_words(feature, vector[feature.name]), f":{feature.name}:")


def in_words(feature: Feature, value: float) -> str:
    """Return what a feature says, times so that they can be read.

    >>> from streams.features.entities import FEATURES
    >>> of = {feature.name: feature for feature in FEATURES}
    >>> in_words(of["card_count_1h"], 3.0), in_words(of["card_age"], 200_000.0)
    ('3 charges on this card in the last hour', 'the card was first seen 2.3 days ago')
    """
    return feature.text.replace(_SECONDS, took(value)).format(value=value)
