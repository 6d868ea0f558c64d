"""The model's dashboard: does it learn, is it calibrated, does the world drift."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels import Dashboard, Panel, Query, Row

_NEWEST: Final = Row(
    "Learning",
    (
        Panel(
            "The model that scores",
            "Its version, on all workers: two of them for a moment only.",
            (Query("count by (version) (chargewatch_model_info)", "{{version}}"),),
            kind="stat", width=8,
        ),
        Panel(
            "Age of its snapshot",
            "A frozen model grows old; one that learns has a new one "
            "every few seconds while examples come.",
            (Query("max(chargewatch_model_age_seconds)"),),
            unit="s", kind="stat", width=8, limits=(3_600.0, 21_600.0),
        ),
        Panel(
            "Newest charge that it has learned",
            "How long ago that was made. Frauds are known within days, "
            "the others after the label horizon.",
            (Query("time() - max by (model) (chargewatch_model_learned_until_seconds)",
                   "{{model}}"),),
            unit="s", kind="stat", width=8,
        ),
        Panel(
            "Examples an hour",
            "By label: frauds, imputed frauds, and the others with the controls.",
            (Query("3600 * sum by (label) (rate(chargewatch_examples_total[1h]))", "{{label}}"),),
        ),
        Panel(
            "Learned",
            "Examples, by model.",
            (Query("max by (model) (chargewatch_model_examples)", "{{model}}"),),
        ),
        Panel(
            "Champion",
            "1 of the model that scores.",
            (Query("max by (model) (chargewatch_model_champion)", "{{model}}"),),
        ),
    ),
)  # fmt: skip

_QUALITY: Final = Row(
    "Quality, each example scored before it is learned",
    (
        Panel(
            "Average precision",
            "Of the last 20,000 examples or so, as frequent as charges are; higher is better.",
            (Query("max by (model) (chargewatch_model_average_precision)", "{{model}}"),),
            width=12,
        ),
        Panel(
            "Log loss",
            "Of their probabilities; lower is better. A challenger is "
            "promoted by this and the former.",
            (Query("max by (model) (chargewatch_model_log_loss)", "{{model}}"),),
            width=12,
        ),
    ),
)  # fmt: skip

_CALIBRATION: Final = Row(
    "Calibration",
    (
        Panel(
            "Frauds seen over frauds that scores imply, 30 days",
            "1 is calibrated, 2 that there are twice as many frauds as "
            "scores say. By inverse propensity, "
            "of charges whose label is seen, by the action that the model chose.",
            (
                Query(
                    "sum(increase(chargewatch_matured_frauds_total[30d])) "
                    "/ sum(increase(chargewatch_matured_expected_of_seen_total[30d]))",
                    "all",
                ),
                Query(
                    "sum by (action) (increase(chargewatch_matured_frauds_total[30d])) "
                    "/ sum by (action) (increase(chargewatch_matured_expected_of_seen_total[30d]))",
                    "{{action}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Labels, 30 days",
            "What the former is of.",
            (Query("sum by (action) (increase(chargewatch_matured_labels_total[30d]))",
                   "{{action}}"),),
            width=12,
        ),
    ),
)  # fmt: skip

_INPUTS: Final = Row(
    "Scores and inputs",
    (
        Panel(
            "Scores",
            "Charges a second by score.",
            (Query("sum by (le) (rate(chargewatch_scores_bucket[$__rate_interval]))", "{{le}}"),),
            kind="heatmap", width=12,
        ),
        Panel(
            "Mean score",
            "The share of fraud that scores imply; now, and a week ago.",
            (
                Query(
                    "sum(rate(chargewatch_scores_sum[1h])) "
                    "/ sum(rate(chargewatch_scores_count[1h]))",
                    "now",
                ),
                Query(
                    "sum(rate(chargewatch_scores_sum[1h] offset 7d)) "
                    "/ sum(rate(chargewatch_scores_count[1h] offset 7d))",
                    "a week ago",
                ),
            ),
            unit="percentunit", width=12,
        ),
        Panel(
            "Drift",
            "Signals found to have shifted, in a day.",
            (Query("sum by (signal) (increase(chargewatch_drift_total[1d])) > 0", "{{signal}}"),),
        ),
        Panel(
            "Charges without a signal",
            "Share of charges that lack a signal of the producer's own.",
            (
                Query(
                    "sum by (signal) (rate(chargewatch_signals_missing_total[1h])) "
                    "/ scalar(sum(rate(chargewatch_scored_total[1h])))",
                    "{{signal}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Fields that were ignored or masked",
            "An hour, by finding and field.",
            (Query("3600 * topk(12, sum by (finding, field) "
                   "(rate(chargewatch_findings_total[1h])))",
                   "{{finding}} {{field}}"),),
        ),
    ),
)  # fmt: skip

MODEL: Final = Dashboard(
    "model",
    "Chargewatch: model",
    "Whether the model learns, whether its scores hold, and whether the world drifts.",
    (_NEWEST, _QUALITY, _CALIBRATION, _INPUTS),
    span="now-7d",
)
