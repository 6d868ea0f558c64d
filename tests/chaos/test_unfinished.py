"""The verifier of a run that could not go on: what it finds, and what it leaves out."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.charge import Charge
from streams.kafka.topics import Topics
from tests.chaos.logs import Read
from tests.chaos.oracle import Frame
from tests.chaos.traffic import Sent
from tests.chaos.unfinished import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.chaos.logs import Logs

TOPICS = Topics("chaos.")
PASSED, LEFT = 3, 2
"""Charges before and after the group's offset; the last passed one waits for the merchant stage."""


class Seen:
    """What is in the logs: charges in one partition, and one bad input that was rejected."""

    def __init__(self) -> None:
        self.frames = list(range(PASSED))
        self.scored = list(range(PASSED - 1))
        self.rejected = [0]

    def committed(self, topic: str) -> Iterator[Read]:
        assert topic == TOPICS.rejected
        for offset in self.rejected:
            place = {"topic": TOPICS.disputes.encode(), "partition": b"0"}
            headers = place | {"offset": b"%d" % offset}
            yield Read(0, offset, 0.0, None, b"", headers)


class OfSeen(Unfinished):
    """The verifier, of what was read already."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        super().__init__(cast("Logs", seen), TOPICS, [_charge(n) for n in range(PASSED + LEFT)])
        bad = Sent(100, "disputes", None, b"{", None, b"{")
        self._inputs[TOPICS.disputes, 0, 0] = bad

    def _read_inputs(self, sent: Iterable[Sent]) -> None:
        self._inputs = {(TOPICS.charges, 0, each.number): each for each in sent}

    @cached_property
    def _frames(self) -> list[Frame]:
        none = cast("Any", None)
        frames = enumerate(self._seen.frames)
        return [Frame(0, (offset, 0), n, False, none, None, 0) for offset, n in frames]

    def _scored(self) -> list[dict[str, Any]]:
        answers = []
        for number in self._seen.scored:
            charge = cast("Charge", self._sent[number].event)
            same = {name: getattr(charge, name) for name in charge.__struct_fields__}
            told = {"number": number, "charge": charge.id, "action": "allow", "score": 0.1}
            answers.append(same | told)
        return answers


def _charge(number: int) -> Sent:
    charge = Charge(f"ch_{number}", 1e9 + number, 100, "usd", "tok", "shop")
    return Sent(number, "charges", b"tok", b"", charge, None)


POSITIONS = {
    TOPICS.charges: {0: PASSED},
    TOPICS.disputes: {0: 1},
    TOPICS.by_merchant: {0: PASSED - 1},
}


def test_what_was_not_done_yet_is_no_finding() -> None:
    findings = OfSeen(Seen()).at_most_once(POSITIONS)
    assert not findings, findings
    assert findings.checked["passed charge sent on"] == PASSED
    assert not OfSeen(Seen()).at_most_once({})


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda seen: seen.frames.remove(1), "passed charge sent on"),
        (lambda seen: seen.frames.append(1), "input sent on at most once"),
        (lambda seen: seen.frames.append(PASSED), "input sent on with its offset"),
        (lambda seen: seen.scored.append(1), "charge scored at most once"),
        (lambda seen: seen.scored.append(PASSED - 1), "charge scored with its offset"),
        (lambda seen: seen.scored.append(PASSED), "what is scored was sent on"),
        (lambda seen: seen.rejected.clear(), "passed bad input rejected"),
        (lambda seen: seen.rejected.append(0), "input rejected at most once"),
    ],
)
def test_what_is_wrong_is_found(plant: Callable[[Seen], None], what: str) -> None:
    seen = Seen()
    plant(seen)
    findings = OfSeen(seen).at_most_once(POSITIONS)
    assert what in findings.wrong, findings
