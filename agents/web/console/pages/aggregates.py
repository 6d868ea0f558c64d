"""What the worker had counted of a card, a merchant or another when it scored a charge."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from agents.terminal.kept_vectors import ScoredAt
from agents.web.console.app import Page
from agents.web.console.counted import counted
from agents.web.console.pages.charges import SHARED
from agents.web.problems import Problem
from agents.web.read_model.queries.charge_view import charge_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.responses import Response

    from agents.terminal.kept_vectors import KeptVectors
    from agents.web.console.reader import Reader
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from streams.features.spec import Feature


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
            counted=None if vector is None else counted(self._features, kind, vector),
        )
