"""The inputs that could not be used, or not in full: how many for which reason, and where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.decoding import Finding, Rejected
    from streams.files import Writer


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
            value = None if copy.value is None else copy.value.decode(errors="backslashreplace")
            entry = {"file": file, "event": number, "reason": copy.reason, "error": error}
            entries.append(orjson.dumps(entry | {"value": value}))
        if self._listing is not None and entries:
            self._listing.write(entries)
