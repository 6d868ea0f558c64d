"""Which charge an event is about: of those with its id that came before it, the nearest in time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.events.rows import CHARGE, Rows, charge_hashes
from streams.labels.kept import Kept, KeptCharges
from streams.labels.pending import KEY_BYTES, kept_key
from streams.state.record_cache import Slots

Times = npt.NDArray[np.float64]

Referred = Kept | int
"""A charge that is kept, or the position of one in the same batch."""


def find_referred(
    charges: KeptCharges, events: Rows, asking: Slots, around: Times, back_s: float, ahead_s: float
) -> Mapping[int, Referred]:
    """Find the charges that disputes or duplicates of a batch are about, however batches are cut.

    Parameters
    ----------
    charges
        Those of earlier batches; those of this one are not kept yet.
    events
        EVENT[N].
    asking
        i8[M], positions of the disputes or duplicates.
    around
        f8[M], the time near which each charge is sought, Unix seconds.
    back_s, ahead_s
        How far from that time to look, seconds, rounded up to whole days.

    Returns
    -------
    dict
        By position, without those whose charge is unknown.
    """
    if not len(asking):
        return {}
    found: dict[int, Referred] = {}
    kept = charges.find(events["charge"][asking], around, back_s, ahead_s)
    for place, before in _earlier_in_batch(events, asking):
        position, time, match = int(asking[place]), around[place], kept[place]
        oldest_day = (time - back_s) // DAY_S
        candidates: list[tuple[float, Referred]] = [
            (abs(events["created"][i] - time), i)
            for i in before.values()
            if events["created"][i] // DAY_S >= oldest_day
        ]
        is_replaced = match is not None and match.key[:KEY_BYTES] in before  # by one of the batch
        if match is not None and not is_replaced:
            candidates.append((match.apart_s(time), match))
        if candidates:
            found[position] = min(candidates, key=lambda candidate: candidate[0])[1]
    return found


def _earlier_in_batch(events: Rows, asking: Slots) -> Iterator[tuple[int, dict[bytes, int]]]:
    """Yield the place of each asking event with the charges of its id before it in the batch.

    The charges are given by the key they will be kept under, so that of two the later counts.
    """
    half = events["charge"][:, 0]  # half of the hash, which numpy can look up fast
    alike = np.flatnonzero(np.isin(half, half[asking]))
    places = {position: place for place, position in enumerate(asking.tolist())}
    before: dict[bytes, dict[bytes, int]] = defaultdict(dict)
    for position, charge in zip(alike.tolist(), charge_hashes(events[alike]), strict=True):
        event, same_id = events[position], before[charge]
        if position in places:
            yield places[position], same_id
        elif event["kind"] == CHARGE and not event["duplicate"]:
            same_id[kept_key(event)] = position
