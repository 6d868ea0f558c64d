"""The dashboards; `python -m deploy.monitoring.dashboards` writes their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from deploy.monitoring.model_dashboard import MODEL
from deploy.monitoring.operator_dashboard import OPERATOR
from deploy.monitoring.panels import Dashboard, as_json
from deploy.monitoring.risk_team_dashboard import RISK_TEAM

FOLDER: Final = Path(__file__).parent / "dashboards"
DASHBOARDS: Final = (OPERATOR, RISK_TEAM, MODEL)


def text_of(dashboard: Dashboard) -> str:
    """Return the file of a dashboard."""
    return json.dumps(as_json(dashboard), indent=2) + "\n"


def main() -> None:
    """Write all of them."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(text_of(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
