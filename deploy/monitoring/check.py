"""Checks what needs promtool: expressions, alerts on series, settings of Prometheus.

`python -m deploy.monitoring.check`; promtool is in Debian's package `prometheus`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.monitoring.dashboards import DASHBOARDS
from deploy.monitoring.panels import expressions

FOLDER: Final = Path(__file__).parent
ALERT_TESTS: Final = ("alerts_test.yml", "alerts_slowly_test.yml")

_RATE_INTERVAL: Final = "5m"
"""In place of Grafana's variable."""


def as_rules() -> str:
    """Return every expression of the dashboards as a rule: JSON, which is YAML too."""
    rules = [
        {
            "record": f"{dashboard.name.replace('-', '_')}:panel{number}",
            "expr": expression.replace("$__rate_interval", _RATE_INTERVAL),
        }
        for dashboard in DASHBOARDS
        for number, expression in enumerate(expressions(dashboard))
    ]
    return json.dumps({"groups": [{"name": "panels", "rules": rules}]})


def main() -> int:
    """Check everything; return what promtool returns of the first that fails, else 0."""
    if shutil.which("promtool") is None:
        print("promtool is not there: apt-get install prometheus", file=sys.stderr)  # noqa: T201
        return 1
    with TemporaryDirectory() as directory:
        panels = Path(directory, "panels.yml")
        panels.write_text(as_rules(), encoding="utf-8")
        for arguments in (
            ("check", "config", "prometheus.yml"),
            ("check", "rules", "--lint-fatal", str(panels)),
            ("test", "rules", *ALERT_TESTS),
        ):
            code = subprocess.run(("promtool", *arguments), cwd=FOLDER, check=False).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
