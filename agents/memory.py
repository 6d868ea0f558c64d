"""How much memory this process has taken."""

import resource
from pathlib import Path


def peak_rss_mb() -> float:
    """Return the most memory that this process has had resident, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # where `ru_maxrss` counts the memory of who started the process, too
        _, _, rest = status.read_text(encoding="ascii").partition("VmHWM:")
        return int(rest.split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
