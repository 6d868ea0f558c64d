"""What is learned of charges, and who is let through, computed from the order of the events alone.

It is said once more in the plainest way, event by event, and shares no code with the stages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from struct import pack
from typing import TYPE_CHECKING, Any

from schemas.scored import ACTIONS
from streams.events import rows as kinds
from streams.wire.examples import BY_DISPUTE, BY_SILENCE, BY_VERDICT, IMPUTED
from streams.wire.matured import FRAUD, GENUINE, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.settings.schema import Settings
    from streams.events.rows import Rows

Hash = tuple[int, ...]
Label = tuple[Hash, int, int]
"""A charge, its label, and the source of that."""
Told = tuple[Hash, int, int, float]
"""A charge, what was seen of it by its horizon, the action of the model, and its propensity."""

_THROUGH = {
    kinds.AUTHORIZED, kinds.CHALLENGE_PASSED, kinds.REVIEW_GENUINE, kinds.ANSWERED_ALLOW,
}  # fmt: skip
_STOPPED = {
    kinds.DECLINED, kinds.STOPPED, kinds.CHALLENGE_FAILED, kinds.ANSWERED_CHALLENGE,
    kinds.ANSWERED_REVIEW, kinds.ANSWERED_BLOCK,
}  # fmt: skip
_FRAUD = {kinds.FRAUD_DISPUTE: BY_DISPUTE, kinds.REVIEW_FRAUD: BY_VERDICT}
_DAY_S = 86_400.0


@dataclass
class _Charge:
    """What is known of a charge."""

    created: float
    came: float
    went_through: bool
    is_fraud: bool = False
    is_no_negative: bool = False
    was_in_time: bool = False
    has_matured: bool = False
    told: set[int] = field(default_factory=set)


class LabelsOracle:
    """Follows the events of one partition of the merchant stage.

    Parameters
    ----------
    settings
        Of the worker; every charge is sampled.
    answers
        The scored event of each charge.

    Attributes
    ----------
    labels
        What is to be learned, but for controls.
    matured
        What is to be told of charges at their horizon.
    problems
        What must not be, whatever is learned.
    """

    def __init__(self, settings: Settings, answers: Mapping[Hash, Mapping[str, Any]]) -> None:
        assert settings.negative_rate == 1.0
        self.labels: list[Label] = []
        self.matured: list[Told] = []
        self.problems: list[str] = []
        self._settings = settings
        self._answers = answers
        self._horizon_s = settings.label_horizon_days * _DAY_S
        self._charges: dict[Hash, _Charge] = {}
        self._now = 0.0

    def follow(self, events: Rows) -> None:
        """Take all events, EVENT[N], in the order in which they were sent."""
        for event in events:
            charge, kind = tuple(event["charge"].tolist()), int(event["kind"])
            if kind == kinds.CHARGE:
                self._take_charge(charge, float(event["created"]))
            elif charge not in self._charges:
                self.problems.append(f"an event of kind {kind} has overtaken its charge {charge}")
            else:
                self._take_label(charge, kind)
        for charge in self._charges:
            self._mature(charge)

    def _take_charge(self, charge: Hash, created: float) -> None:
        self._now = max(self._now, created)
        answer = self._answers.get(charge)
        if charge in self._charges or answer is None:  # one that is missing is told elsewhere
            return
        is_allowed = answer["action"] == "allow"
        self._charges[charge] = _Charge(created, self._now, is_allowed)
        self.problems += _draw_problems(charge, answer, self._settings)
        if answer["action"] == "block" and charge[1] / 2**64 < answer["score"]:
            self.labels.append((charge, 1, IMPUTED))

    def _take_label(self, charge: Hash, kind: int) -> None:
        known = self._charges[charge]
        if kind in known.told:
            return
        known.told.add(kind)
        self._mature(charge)
        is_past = self._now > known.created + self._horizon_s
        if kind in _FRAUD and not known.is_fraud:
            known.is_fraud, known.was_in_time = True, not is_past
            known.is_no_negative |= not (is_past and known.went_through)
            self.labels.append((charge, 1, _FRAUD[kind]))
        elif kind in _THROUGH:
            if is_past and not known.went_through:
                self._be_negative(charge)
            known.went_through = True
        elif kind in _STOPPED and not is_past:
            known.went_through = False
        elif kind == kinds.REFUNDED and not (is_past and known.went_through):
            known.is_no_negative = True

    def _mature(self, charge: Hash) -> None:
        """Make a negative of a charge that has been silent for long enough; tell of it once."""
        known = self._charges[charge]
        if self._now <= max(known.created + self._horizon_s, known.came):
            return
        if not known.has_matured:
            known.has_matured = True
            self.matured += self._told(charge, known)
        if known.went_through:
            self._be_negative(charge)

    def _told(self, charge: Hash, known: _Charge) -> Iterator[Told]:
        """Yield what is told of a charge at its horizon; every one can be drawn."""
        answer = self._answers[charge]
        drawn = answer.get("holdout")
        action = ACTIONS.index(answer["action"] if drawn is None else drawn["action"])
        if drawn is None and action > 0:
            yield charge, UNSEEN, action, self._settings.holdout_share
        elif known.was_in_time or (known.went_through and not known.is_no_negative):
            propensity = 1.0 if drawn is None else self._settings.holdout_share
            yield charge, FRAUD if known.was_in_time else GENUINE, action, propensity

    def _be_negative(self, charge: Hash) -> None:
        known = self._charges[charge]
        if not known.is_no_negative:
            known.is_no_negative = True
            self.labels.append((charge, 0, BY_SILENCE))


def _draw_problems(charge: Hash, answer: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield what is wrong with whether a charge was let through, by the hash of its own."""
    drawn = answer.get("holdout")
    wanted = answer["action"] if drawn is None else drawn["action"]
    key = settings.holdout_key.encode()
    digest = blake2b(pack("<QQ", *charge), key=key, digest_size=8).digest()
    is_chosen = int.from_bytes(digest, "little") / 2**64 < settings.holdout_share
    if (drawn is not None) != (wanted != "allow" and is_chosen):
        yield f"{answer['charge']}: {answer['decided_by']} decided, drawn: {is_chosen}"
    elif drawn is not None and (answer["action"], drawn["propensity"]) != (
        "allow",
        settings.holdout_share,
    ):
        yield f"{answer['charge']}: was drawn, and got {answer['action']}, {drawn}"
