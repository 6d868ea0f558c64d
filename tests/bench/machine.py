"""The facts of the machine that figures come from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.kafka_jars import find_java, java_version, kafka_version
from tests.bench.prepare import QUIX_REQUIREMENTS, STREAMS_POM

_PACKAGES = ("confluent-kafka", "faust-streaming", "numba", "numpy", "orjson", "river", "rocksdict")


def machine() -> dict[str, Any]:
    """Return what figures depend on: hardware, load, versions and the commit."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _output("git", "describe", "--always", "--dirty"),
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "load": os.getloadavg(),
        "system": platform.platform(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what takes part."""
    shown = subprocess.run([find_java(), "-version"], capture_output=True, text=True, check=True)
    return {
        "python": platform.python_version(),
        "java": str(java_version(shown.stderr)),
        "kafka": kafka_version(),
        "kafka-streams": _found(r"<version>([\d.]+)</version>", STREAMS_POM),
        "quixstreams": _found(r"^quixstreams==(\S+)", QUIX_REQUIREMENTS),
        **{name: version(name) for name in _PACKAGES},
    }


def _field(path: str, name: str) -> str:
    return _found(rf"^{name}\s*:\s*(.*)$", Path(path))


def _found(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(), re.MULTILINE)
    return match[1] if match else "unknown"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
