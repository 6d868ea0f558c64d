"""What is known of charges by the end of a history.

A charge is a fraud if any dispute says so, however late. It is genuine if its label horizon has
passed in silence, and silence says something: of a charge that was stopped, or whose money went
back, it says nothing. All others are unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.events.rows import (
    ANSWERED_ALLOW,
    ANSWERED_BLOCK,
    ANSWERED_CHALLENGE,
    ANSWERED_REVIEW,
    AUTHORIZED,
    CHALLENGE_FAILED,
    CHALLENGE_PASSED,
    CHARGE,
    DECLINED,
    FRAUD_DISPUTE,
    REFUNDED,
    REVIEW_FRAUD,
    REVIEW_GENUINE,
    STOPPED,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.rows import Rows

FRAUD, GENUINE, YOUNG, SILENCED = range(4)
"""A fraud; genuine; still disputable; stopped or refunded, so that silence says nothing."""

LABELS: Final = ("fraud", "genuine", "young", "silenced")

LABEL_EVENT = np.dtype([("charge", "u8", (2,)), ("created", "f8"), ("kind", "u1")])

_WENT_THROUGH: Final = (AUTHORIZED, CHALLENGE_PASSED, REVIEW_GENUINE, ANSWERED_ALLOW)
_STOPPED: Final = (
    *(DECLINED, STOPPED, CHALLENGE_FAILED, REVIEW_FRAUD),
    *(ANSWERED_CHALLENGE, ANSWERED_REVIEW, ANSWERED_BLOCK),
)


class LabelEvents:
    """Keeps what disputes and outcomes say.

    Attributes
    ----------
    newest
        Newest event time seen, Unix seconds; minus infinity before any.
    """

    def __init__(self) -> None:
        self.newest = -np.inf
        self._parts: list[Rows] = [np.empty(0, LABEL_EVENT)]

    def add(self, events: Rows) -> None:
        """Take EVENT[N] of any kind."""
        if not len(events):
            return
        self.newest = max(self.newest, float(events["created"].max()))
        labels = events[events["kind"] != CHARGE]
        part = np.empty(len(labels), LABEL_EVENT)
        for name in part.dtype.names or ():
            part[name] = labels[name]
        self._parts.append(part)

    def labels(
        self,
        charges: NDArray[np.uint64],
        created: NDArray[np.float64],
        horizons_s: NDArray[np.float64] | float,
    ) -> NDArray[np.uint8]:
        """Return what is known of charges, u1[N].

        Parameters
        ----------
        charges
            Their hashes, u8[N, 2].
        created
            f8[N], Unix seconds.
        horizons_s
            A charge that is silent for so long is genuine: f8[N], or the same for all.
        """
        events = np.concatenate(self._parts)
        self._parts = [events]
        labels = np.where(created > self.newest - horizons_s, YOUNG, GENUINE).astype(np.uint8)
        numbers = _numbers(np.concatenate((charges, events["charge"])))
        own, others = numbers[: len(charges)], numbers[len(charges) :]
        size = int(numbers.max(initial=-1)) + 1
        labels[_says_nothing(events, others, size)[own]] = SILENCED
        labels[_flagged(others[events["kind"] == FRAUD_DISPUTE], size)[own]] = FRAUD
        return labels


def _says_nothing(events: Rows, numbers: NDArray[np.intp], size: int) -> NDArray[np.bool_]:
    """Tell of which charges silence says nothing; of those that contradict, the last counts."""
    is_stop = np.isin(events["kind"], _STOPPED)
    told = np.flatnonzero(is_stop | np.isin(events["kind"], _WENT_THROUGH))
    told = told[np.argsort(events["created"][told], kind="stable")]
    last = np.full(size, -1, np.intp)
    np.maximum.at(last, numbers[told], np.arange(len(told)))
    stopped = np.zeros(size, np.bool_)
    known = last >= 0
    stopped[known] = is_stop[told[last[known]]]
    return stopped | _flagged(numbers[events["kind"] == REFUNDED], size)


def _flagged(numbers: NDArray[np.intp], size: int) -> NDArray[np.bool_]:
    flags = np.zeros(size, np.bool_)
    flags[numbers] = True
    return flags


def _numbers(hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return a number for each of u8[N, 2], from 0 on, the same for those that are equal."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    is_new = np.ones(len(hashes), np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(hashes), np.intp)
    numbers[order] = np.cumsum(is_new) - 1
    return numbers
