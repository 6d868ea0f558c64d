"""Which learner and which scorer belong to a kind of model."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from agents.models.boosted.training import LightGBMMissingError, can_train
from agents.models.prior import PriorScorer
from agents.models.protocols import SnapshotMismatchError
from agents.models.track_record import is_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from agents.models.protocols import Learner, Scorer
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature


@dataclass(frozen=True, slots=True)
class Kind:
    """The learner and the scorer of one kind of model, imported when they are asked for.

    Some need river, which takes longer than all other imports of a worker. Those that are boosted
    take trees from a trainer (`agents.models.boosted`), beside what they learn.
    """

    module: str
    learner_name: str
    scorer_name: str
    is_boosted: bool = False

    @property
    def learner(self) -> type[Learner]:
        """The class of its learners."""
        learner: type[Learner] = getattr(import_module(self.module), self.learner_name)
        return learner

    @property
    def scorer(self) -> Callable[[Snapshot, Sequence[Feature]], Scorer]:
        """The class of its scorers."""
        scorer_class: Callable[[Snapshot, Sequence[Feature]], Scorer] = getattr(
            import_module(self.module), self.scorer_name
        )
        return scorer_class


KINDS: Mapping[str, Kind] = {
    "additive": Kind("agents.models.additive", "AdditiveLearner", "AdditiveScorer"),
    "linear": Kind("agents.models.linear", "LinearLearner", "LinearScorer"),
    "forest": Kind("agents.models.forest.model", "ForestLearner", "ForestScorer"),
    "stack": Kind("agents.models.stack", "StackLearner", "StackScorer"),
    "boosted": Kind(
        "agents.models.boosted.model", "BoostedLearner", "BoostedScorer", is_boosted=True
    ),
    "blend": Kind("agents.models.blend", "BlendLearner", "BlendScorer", is_boosted=True),
}

DEFAULT = "additive"
"""Name of the model that scores."""

_MALFORMED = (
    *(AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError),
    zlib.error,
)
"""What reading a state may raise that is not of its kind."""


def check_trainable(kinds: Iterable[str]) -> None:
    """Make sure that models of these kinds can learn here.

    Raises
    ------
    LightGBMMissingError
        When trees are to be trained, and LightGBM is not installed.
    """
    for kind in kinds:
        if KINDS[kind].is_boosted and not can_train():
            raise LightGBMMissingError


def new_learner(features: Sequence[Feature], kind: str = DEFAULT) -> Learner:
    """Return a learner of a kind that has learned nothing yet."""
    return KINDS[kind].learner(features)


def restored_learner(snapshot: Snapshot, features: Sequence[Feature]) -> Learner:
    """Return the learner that goes on from `snapshot`.

    Raises
    ------
    SnapshotMismatchError
        When its kind is unknown, or its state is not of that kind.
    """
    with _reading(snapshot):
        return _kind(snapshot).learner.from_snapshot(snapshot, features)


def scorer(snapshot: Snapshot | None, features: Sequence[Feature]) -> Scorer:
    """Return what to score with: the model in `snapshot` once it is ready, the prior until then.

    Raises
    ------
    SnapshotMismatchError
        When the snapshot's kind is unknown, or its state is not of that kind.
    """
    if snapshot is None:
        return PriorScorer(features)
    with _reading(snapshot):
        kind = _kind(snapshot)
        return kind.scorer(snapshot, features) if is_ready(snapshot) else PriorScorer(features)


def _kind(snapshot: Snapshot) -> Kind:
    if snapshot.kind not in KINDS:
        raise SnapshotMismatchError(f"{snapshot.version}: unknown kind {snapshot.kind}")
    return KINDS[snapshot.kind]


@contextmanager
def _reading(snapshot: Snapshot) -> Iterator[None]:
    try:
        yield
    except SnapshotMismatchError:
        raise
    except _MALFORMED as error:
        raise SnapshotMismatchError(f"{snapshot.version}: malformed state: {error!r}") from error
