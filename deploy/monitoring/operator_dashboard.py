"""The operator's dashboard: does it run, does it keep up, what holds it up."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.operator_resources import KAFKA, WEB, WORKERS
from deploy.monitoring.panels import Dashboard, Panel, Query, Row, quantiles

_NOW: Final = Row(
    "Now",
    (
        Panel(
            "Tasks that run",
            "One for each partition of charges. Fewer than there are "
            "partitions: some cards get no score.",
            (Query('sum(chargewatch_tasks{state="running"})'),),
            kind="stat", width=4,
        ),
        Panel(
            "Workers",
            "Those that answer Prometheus.",
            (Query('count(chargewatch_tasks{state="running"})'),),
            kind="stat", width=4,
        ),
        Panel(
            "Charges a second",
            "Scored, all workers together.",
            (Query("sum(rate(chargewatch_scored_total[5m]))"),),
            kind="stat", width=4,
        ),
        Panel(
            "Charge to score, p99",
            "From a charge in the log of its topic until its scored "
            "charge can be seen, of five minutes.",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le) "
                    "(rate(chargewatch_end_to_end_seconds_bucket[5m])))"
                ),
            ),
            unit="s", kind="stat", width=4, limits=(0.25, 1.0),
        ),
        Panel(
            "Oldest that waits",
            "The longest that any input has waited to be taken.",
            (Query("max(chargewatch_lag_seconds)"),),
            unit="s", kind="stat", width=4, limits=(5.0, 30.0),
        ),
        Panel(
            "Alerts that fire",
            "The runbook says what each of them means.",
            (Query('count(ALERTS{alertname=~"Chargewatch.*",alertstate="firing"}) or vector(0)'),),
            kind="stat", width=4, limits=(1.0, 3.0),
        ),
    ),
)  # fmt: skip

_LATENCY: Final = Row(
    "Charge to score",
    (
        Panel(
            "Until it can be seen",
            "Everything: both commits and the stages between them.",
            quantiles("chargewatch_end_to_end_seconds"),
            unit="s", limits=(0.25, 1.0),
        ),
        Panel(
            "Until a stage is done",
            "Each stage counts from the charge in the log of its topic, "
            "so the steps add up: what is "
            "between card and merchant is a commit, and the parts of shared entities.",
            quantiles("chargewatch_stage_seconds", "stage"),
            unit="s",
        ),
        Panel(
            "API, until the answer",
            "By where the answer came from.",
            quantiles("chargewatch_api_answer_seconds", "source"),
            unit="s",
        ),
    ),
)  # fmt: skip

_LAG: Final = Row(
    "Lag",
    (
        Panel(
            "Seconds, by input",
            "How long the first message that was not taken has been in the log.",
            (Query("max by (source) (chargewatch_lag_seconds)", "{{source}}"),),
            unit="s", limits=(5.0, 30.0),
        ),
        Panel(
            "Seconds, by task",
            "One task far above the others: a partition with a hot "
            "merchant, or one that is restored.",
            (Query("topk(12, max by (task) (chargewatch_lag_seconds))", "task {{task}}"),),
            unit="s",
        ),
        Panel(
            "Messages, by input",
            "What was not taken yet.",
            (Query("sum by (source) (chargewatch_lag_messages)", "{{source}}"),),
        ),
        Panel(
            "Held back",
            "Charges that wait for the parts of what they share; "
            "disputes and outcomes that wait for "
            "their charge, or for charges to reach their time.",
            (
                Query("sum(chargewatch_charges_waiting)", "charges"),
                Query("sum by (until) (chargewatch_disputes_waiting)", "disputes, until {{until}}"),
            ),
        ),
        Panel(
            "Charges a second, by worker",
            "Where tasks are spread evenly, so is this.",
            (Query("sum by (instance) (rate(chargewatch_scored_total[$__rate_interval]))",
                   "{{instance}}"),),
            is_stacked=True,
        ),
        Panel(
            "Inputs that could not be used",
            "By reason; they are on the topic of rejected inputs.",
            (Query("sum by (reason) (rate(chargewatch_rejected_total[$__rate_interval]))",
                   "{{reason}}"),),
            is_stacked=True,
        ),
    ),
)  # fmt: skip

_COMMITS: Final = Row(
    "Commits and tasks",
    (
        Panel(
            "Commits a second",
            "And those that failed, whose work is done again.",
            (
                Query("sum(rate(chargewatch_commits_total[$__rate_interval]))", "commits"),
                Query("sum(rate(chargewatch_aborts_total[$__rate_interval]))", "aborts"),
            ),
        ),
        Panel(
            "Duration of a commit",
            "Each charge waits for two of them.",
            quantiles("chargewatch_commit_seconds"),
            unit="s",
        ),
        Panel(
            "Tasks, by state",
            "Restoring: their cards wait.",
            (Query("sum by (state) (chargewatch_tasks)", "{{state}}"),),
        ),
        Panel(
            "Left to restore",
            "Records; 0 while nothing is restored.",
            (Query("sum by (instance) (chargewatch_restore_left_records)", "{{instance}}"),),
        ),
        Panel(
            "Time left to restore",
            "What is left, over how fast it has gone in two minutes.",
            (
                Query(
                    "sum by (instance) (chargewatch_restore_left_records) "
                    "/ (sum by (instance) (deriv(chargewatch_restored_records[2m])) > 0)",
                    "{{instance}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Restored a second",
            "Records read by restores under way.",
            (Query("sum by (instance) (clamp_min(deriv(chargewatch_restored_records[2m]), 0))",
                   "{{instance}}"),),
        ),
        Panel(
            "Rebalances",
            "Of the workers' group, in an hour.",
            (Query('max(increase(chargewatch_kafka_rebalances_total{client="inputs"}[1h]))',
                   "rebalances"),),
        ),
    ),
)  # fmt: skip

OPERATOR: Final = Dashboard(
    "operator",
    "Chargewatch: operator",
    "Whether it runs, whether it keeps up, and what holds it up.",
    (_NOW, _LATENCY, _LAG, _COMMITS, WORKERS, KAFKA, WEB),
)
