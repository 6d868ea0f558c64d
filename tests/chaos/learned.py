"""Checks of the examples: every label is learned once, when it is due, by what it was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streams.wire.examples import (
    BY_DISPUTE,
    BY_SILENCE,
    BY_VERDICT,
    CONTROL,
    IMPUTED,
    decode_examples,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from streams.layouts.reader import Reader
    from tests.chaos.card_order import Vector
    from tests.chaos.findings import Findings
    from tests.chaos.logs import Read
    from tests.chaos.oracle import Expected

_LABELS = (BY_SILENCE, BY_DISPUTE, BY_VERDICT)


class Learned:
    """Compares examples with those that are expected.

    Parameters
    ----------
    findings
        Is told what is found.
    expected
        By the oracle.
    numbers
        Of the charges, by their hashes.
    vectors
        As the charges are kept, by their numbers.
    """

    def __init__(
        self,
        findings: Findings,
        expected: Expected,
        numbers: Mapping[bytes, int],
        vectors: Mapping[int, Vector],
    ) -> None:
        self._findings = findings
        self._expected = expected
        self._numbers = numbers
        self._vectors = vectors
        self._labels: Counter[tuple[int, int]] = Counter()
        self._imputed: Counter[int] = Counter()
        self._controls: Counter[tuple[int, float]] = Counter()

    def check(self, examples: Iterable[Read], reader: Reader, *, has_sources: bool) -> None:
        """Check all examples, whose sources are told if all are of this version."""
        for read in examples:
            example = decode_examples([read.value or b""], reader)[0]
            number = self._numbers[example["charge"].astype(">u8").tobytes()]
            at, source = float(example["labelled_at"]), int(example["source"])
            is_same = example["vector"].tobytes() == self._vectors[number].tobytes()
            self._findings.check("example is what was scored", is_same, (number, example))
            if source == IMPUTED:
                self._check_imputed(number, at)
            elif source == CONTROL or (source in _LABELS and example["stands_for"] == 0.0):
                self._controls[number, at] += 1  # of the first release by what they stand for alone
            elif source in _LABELS:
                self._check_label(example, number, source if has_sources else None)
        self._check_counts()

    def _check_imputed(self, number: int, at: float) -> None:
        self._imputed[number] += 1
        due = self._expected.imputed.get(number)
        self._findings.check("imputed fraud was blocked", due is not None, number)
        is_due = due is None or _is_at(at, due)
        self._findings.check("imputed fraud comes when it is due", is_due, (number, due, at))

    def _check_label(self, example: np.void, number: int, source: int | None) -> None:
        name, at = (number, int(example["label"])), float(example["labelled_at"])
        self._labels[name] += 1
        label = self._expected.examples.get(name)
        self._findings.check("example is a labelled charge", label is not None, (name, example))
        if label is not None:
            self._findings.check(
                "example comes when it is due", _is_at(at, label.at), (name, label)
            )
        if label is not None and source is not None:
            is_said = source == label.source
            self._findings.check("label is by what it was", is_said, (name, label, source))

    def _check_counts(self) -> None:
        check, expected = self._findings.check, self._expected
        for name in expected.examples:
            check("label learned once", self._labels[name] == 1, (name, self._labels[name]))
        for number in expected.imputed:
            count = self._imputed[number]
            check("imputed fraud learned once", count == 1, (number, count))
        for control in expected.controls.keys() | self._controls.keys():
            found, wanted = self._controls[control], expected.controls[control]
            check("control learned once", found == wanted, (control, found, wanted))


def _is_at(found: float, wanted: float) -> bool:
    return abs(found - wanted) < 1e-3
