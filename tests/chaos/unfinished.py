"""The verifier of a run that could not go on: what was done until then was done once.

What was not done by then is no finding: the run could not go on with it. So only that is looked at
which more work would not have changed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from schemas.charge import Charge
from tests.chaos.answers import check_answer
from tests.chaos.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chaos.findings import Findings


class Unfinished(Verifier):
    """As a `Verifier`, of what is there."""

    def at_most_once(self, positions: Mapping[str, Mapping[int, int]]) -> Findings:
        """Check that nothing is there twice, and that what the group has passed is there.

        Parameters
        ----------
        positions
            Of the group in its inputs and in the topic of the merchant stage, once all transactions
            have ended; empty if it does not say.
        """
        self._check_sent_on(positions)
        self._check_rejects(positions)
        self._check_scores(positions)
        return self.findings

    def _check_sent_on(self, positions: Mapping[str, Mapping[int, int]]) -> None:
        counts = Counter(frame.number for frame in self._frames)
        for (topic, partition, offset), sent in self._inputs.items():
            count = counts.pop(sent.number, 0)
            self.findings.check("input sent on at most once", count <= 1, (sent, count))
            if not positions:
                continue
            if offset >= positions[topic][partition]:
                self.findings.check("input sent on with its offset", count == 0, sent)
            elif isinstance(sent.event, Charge):
                self.findings.check("passed charge sent on", count == 1, sent)
        self.findings.check("what is sent on came in", not counts, counts)

    def _check_rejects(self, positions: Mapping[str, Mapping[int, int]]) -> None:
        rejected = self._logs.committed(self._topics.rejected)
        counts = Counter(self._origin(read) for read in rejected)
        for place, sent in self._inputs.items():
            topic, partition, offset = place
            self.findings.check("input rejected at most once", counts[place] <= 1, sent)
            if sent.event is None and positions:
                wanted = int(offset < positions[topic][partition])
                self.findings.check("passed bad input rejected", counts[place] == wanted, sent)

    def _check_scores(self, positions: Mapping[str, Mapping[int, int]]) -> None:
        scored = self._scored()
        counts = Counter(event["number"] for event in scored)
        for event in scored:
            check_answer(self.findings, event, self._sent[event["number"]], self._settings)
        for frame in self._frames:
            count = counts.pop(frame.number, 0)
            self.findings.check("charge scored at most once", count <= 1, (frame.number, count))
            if positions and frame.place[0] >= positions[self._topics.by_merchant][frame.partition]:
                self.findings.check("charge scored with its offset", count == 0, frame.number)
        self.findings.check("what is scored was sent on", not counts, counts)

    def _check_read(self, missing: int) -> None:
        """Leave out what the brokers had not taken yet."""

    def _check_parts(self, left: list[int]) -> None:
        """Leave out what waits."""
