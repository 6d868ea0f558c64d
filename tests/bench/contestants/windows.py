"""The windows of a key in one record, for the contestants that keep them in one."""

WINDOWS_S = (600, 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""Those of Chargewatch."""

Windows = list[list[int]]
"""For each window, which tumbling window in event time it is in, and the charges in that."""


def count(windows: Windows | None, created: float) -> tuple[Windows, list[int]]:
    """Count a charge; return the windows, new ones where there were none, and their counts."""
    windows = windows or [[0, 0] for _ in WINDOWS_S]
    for window, size in zip(windows, WINDOWS_S, strict=True):
        tile = int(created // size)
        if tile > window[0]:
            window[:] = tile, 0
        window[1] += 1
    return windows, [window[1] for window in windows]
