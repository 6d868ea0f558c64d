"""The inputs that could not be used, or not in full: how many for which reason, and where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.decoding import Finding
    from streams.events.files import Writer
    from streams.events.rejected import Rejected


class Rejections:
    """Counts rejected inputs of files, and lists them.

    Parameters
    ----------
    listing
        Where to list them one by one, `None` for nowhere.

    Attributes
    ----------
    counts
        By reason.
    first
        By reason, where the first one is and what is wrong with it.
    findings
        How many valid inputs had which finding in which field.
    """

    def __init__(self, listing: Writer | None) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.findings: Counter[tuple[Finding, str]] = Counter()
        self._listing = listing
        self._counts_in: dict[str, Counter[str]] = {}
        self._first_in: dict[tuple[str, str], str] = {}

    @property
    def findings_by_kind(self) -> dict[str, dict[str, int]]:
        """How many inputs had a finding, by its kind and by the field, most frequent first."""
        kinds: dict[str, dict[str, int]] = {}
        for (finding, name), count in self.findings.most_common():
            kinds.setdefault(finding, {})[name] = count
        return kinds

    def add(self, rejected: Sequence[Rejected]) -> None:
        """Count and list inputs: as they are in `charges.rejected`, card numbers masked."""
        entries = []
        for copy in rejected:
            headers = {name: value.decode() for name, value in copy.headers}
            file, number, error = headers["topic"], int(headers["offset"]) + 1, headers["error"]
            self.counts[copy.reason] += 1
            self.first.setdefault(copy.reason, f"{file}, event {number}: {error}")
            self._counts_in.setdefault(file, Counter())[copy.reason] += 1
            self._first_in.setdefault((file, copy.reason), f"event {number}: {error}")
            value = None if copy.value is None else copy.value.decode(errors="backslashreplace")
            entry = {"file": file, "event": number, "reason": copy.reason, "error": error}
            entries.append(orjson.dumps(entry | {"value": value}))
        if self._listing is not None and entries:
            self._listing.write(entries)

    def summary(self, file: str) -> str:
        """Say how many of a file's inputs there are by reason, the most frequent first, with one.

        Returns
        -------
        str
            Empty where there are none.
        """
        counts = self._counts_in.get(file)
        if not counts:
            return ""
        (reason, _), *_ = ordered = counts.most_common()
        reasons = ", ".join(f"{name} {count:,}" for name, count in ordered)
        return f"{reasons}; {self._first_in[file, reason]}"

    def objection(self, file: str, inputs: int) -> str:
        """Say why a file is not worth to go on with: less than half of its inputs could be used.

        Parameters
        ----------
        file
            As in the rejected copies.
        inputs
            How many it has.

        Returns
        -------
        str
            Empty where there is nothing to object to.
        """
        count = self._counts_in.get(file, Counter()).total()
        if 2 * count <= inputs:
            return ""
        return f"{file}: {count:,} of {inputs:,} events cannot be used: {self.summary(file)}"
