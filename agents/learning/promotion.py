"""What an operator may decide about the models: each decision is a new record for `models`."""

import uuid

from agents.learning.model_registry import ModelBook
from agents.models.kinds import KINDS, restored_learner
from agents.models.protocols import SnapshotMismatchError
from schemas.control import Champion, Former, Loaded
from schemas.snapshot import Snapshot
from streams.errors import OperationalError
from streams.features.entities import FEATURES


class DecisionError(OperationalError):
    """What was decided cannot be; the message says why, and the way out."""


def promote(book: ModelBook, name: str) -> Champion:
    """Let another model score, by its newest snapshot.

    Raises
    ------
    DecisionError
        When there is no such model, it scores already, or this version cannot score with it.
    """
    champion = book.champion
    if name == champion.name:
        way_out = "; `chargewatch models unfreeze` lets it go on" if champion.frozen else ""
        raise DecisionError(f"{name}: is the champion already{way_out}")
    snapshot = book.newest(name)
    if snapshot is None:
        raise DecisionError(
            f"{name}: there is no such model on the topic; there are "
            f"{', '.join(book.names) or 'none yet'}. `challengers` has the workers learn another"
        )
    _check(snapshot)
    return Champion(name, None, _former(book))


def roll_back(book: ModelBook) -> Champion:
    """Let the previous champion score as it was then; a second time undoes the first.

    Raises
    ------
    DecisionError
        When there is none, or this version cannot score with it.
    """
    previous = book.champion.previous
    if previous is None:
        raise DecisionError(
            f"{book.champion.name}: has no champion before it; nothing has been promoted yet"
        )
    if previous.snapshot is not None:
        _check(previous.snapshot)
    return Champion(previous.name, previous.snapshot, _former(book))


def freeze(book: ModelBook) -> Champion:
    """Keep the snapshot that scores now, whatever is learned.

    Raises
    ------
    DecisionError
        When it is frozen already, or the prior scores.
    """
    champion = book.champion
    if champion.frozen is not None:
        raise DecisionError(
            f"{champion.name}: is frozen at {champion.frozen.version} already; "
            "`chargewatch models unfreeze` lets it go on"
        )
    snapshot = book.newest(champion.name)
    if snapshot is None:
        raise DecisionError(
            f"{champion.name}: has no snapshot to freeze yet; wait for its first labels, or "
            "`chargewatch models load` one"
        )
    return Champion(champion.name, snapshot, champion.previous)


def unfreeze(book: ModelBook) -> Champion:
    """Let the champion score by its newest snapshot again.

    Raises
    ------
    DecisionError
        When it is not frozen.
    """
    champion = book.champion
    if champion.frozen is None:
        raise DecisionError(f"{champion.name}: is not frozen; its newest snapshot scores")
    return Champion(champion.name, None, champion.previous)


def load(snapshot: Snapshot) -> Loaded:
    """Let a model go on from one that was learned elsewhere.

    Raises
    ------
    DecisionError
        When this version cannot score with it.
    """
    if snapshot.name not in KINDS:
        raise DecisionError(
            f"{snapshot.name}: is none of the models there are: {', '.join(sorted(KINDS))}"
        )
    _check(snapshot)
    return Loaded(uuid.uuid4().hex[:8], snapshot)


def _former(book: ModelBook) -> Former:
    return Former(book.champion.name, book.scoring())


def _check(snapshot: Snapshot) -> None:
    try:
        restored_learner(snapshot, FEATURES)
    except SnapshotMismatchError as error:
        raise DecisionError(
            f"{snapshot.version}: does not fit this version ({error}); learn it again with "
            "`chargewatch backtest --save-model`"
        ) from None
