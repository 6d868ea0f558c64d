"""The settings that the demo hands to its worker."""

from pathlib import Path

from agents.demo.process import environment
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from agents.settings.sources import load_settings


def test_the_worker_has_all_the_settings_of_the_demo() -> None:
    settings = Settings(
        bootstrap_servers="a:1,b:2",
        topic_prefix="demo-1.",
        state_dir=Path("/var/lib/cw"),
        processing_guarantee="at_least_once",
        commit_interval_ms=50,
        label_horizon_days=3.5,
        negative_rate=1 / 3,
        worker_id="w-1",
        challengers=("linear", "additive"),
        costs=Costs(dispute_fee_usd=20.0, review_capacity_share=0.0),
    )
    assert load_settings({}, environment(settings)) == settings
    assert load_settings({}, environment(Settings(worker_id="w"))) == Settings(worker_id="w")
