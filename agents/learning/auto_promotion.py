"""Automatic promotion: when a challenger has scored better for long enough, it becomes champion.

The rule: both have counted enough frauds, over the same charges but for a tenth; the challenger's
log loss is lower by at least a fiftieth, and its average precision is not lower. The way back asks
for the same, so they do not take turns by chance. A frozen champion stays.
"""

from collections.abc import Iterable

from agents.learning import promotion as championship
from agents.learning.model_registry import ModelBook
from agents.models.prequential import Figures
from agents.models.track_record import figures_of
from schemas.control import Champion

LEAST_GAIN = 0.02
"""Share by which the log loss has to be lower."""

MOST_UNEQUAL = 0.1
"""Share by which the charges that the two were judged by may differ in number."""


class Succession:
    """Watches the snapshots of the models, and says when another should score.

    Parameters
    ----------
    after_frauds
        How many frauds both must have counted; 0 for never.
    """

    def __init__(self, after_frauds: int) -> None:
        self._after_frauds = after_frauds
        self._judged: list[str] = []

    def due(self, book: ModelBook, names: Iterable[str]) -> Champion | None:
        """Return the decision for the best of the challengers that the rule is for, if any.

        Parameters
        ----------
        book
            What is on the topic.
        names
            The models that learn.
        """
        if self._after_frauds == 0 or book.champion.frozen is not None:
            return None
        newest = {name: book.newest(name) for name in names}
        snapshots = {name: snapshot for name, snapshot in newest.items() if snapshot is not None}
        versions = [snapshot.version for snapshot in snapshots.values()]
        if versions == self._judged or book.champion.name not in snapshots:
            return None
        self._judged = versions
        figures = {name: figures_of(snapshot) for name, snapshot in snapshots.items()}
        champion = figures.pop(book.champion.name)
        better = [name for name in figures if self._is_better(figures[name], champion)]
        if not better:
            return None
        return championship.promote(book, min(better, key=lambda name: figures[name].log_loss))

    def _is_better(self, challenger: Figures, champion: Figures) -> bool:
        return (
            min(challenger.frauds, champion.frauds) >= self._after_frauds
            and abs(challenger.charges - champion.charges) <= MOST_UNEQUAL * champion.charges
            and challenger.log_loss <= (1.0 - LEAST_GAIN) * champion.log_loss
            and challenger.average_precision >= champion.average_precision
        )
