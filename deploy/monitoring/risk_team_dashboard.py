"""The risk team's dashboard: what was done with charges, by whom, and what it costs."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels import Dashboard, Panel, Query, Row

_BLOCK: Final = '{action="block"}'

_DONE: Final = Row(
    "What was done",
    (
        Panel(
            "Charges a minute, by action",
            "What scored charges say. Whether it was carried out is up to the payment flow.",
            (Query("60 * sum by (action) (rate(chargewatch_scored_total[$__rate_interval]))",
                   "{{action}}"),),
            is_stacked=True,
        ),
        Panel(
            "Share that is stopped or held up",
            "By action.",
            (
                Query(
                    'sum by (action) (rate(chargewatch_scored_total{action!="allow"}[1h])) '
                    "/ scalar(sum(rate(chargewatch_scored_total[1h])))",
                    "{{action}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "US dollars an hour, by action",
            "Amounts of charges; what is allowed is left out.",
            (Query("3600 * sum by (action) "
                   '(rate(chargewatch_scored_usd_total{action!="allow"}[1h]))',
                   "{{action}}"),),
            unit="currencyUSD",
        ),
        Panel(
            "What decided",
            "The model, a rule, the holdout, or a test card; share of charges.",
            (
                Query(
                    "sum by (by) (rate(chargewatch_decided_total[1h])) "
                    "/ scalar(sum(rate(chargewatch_decided_total[1h])))",
                    "{{by}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Holdout, US dollars a day",
            "Amounts of charges that would have been stopped, and were "
            "drawn to go through, by what would "
            "have been done. The budget is `holdout_budget_usd`.",
            (Query("sum by (action) (increase(chargewatch_holdout_usd_total[1d]))", "{{action}}"),),
            unit="currencyUSD",
        ),
        Panel(
            "Holdout, charges a day",
            "How many were drawn, by what would have been done: the labels that estimates rest on.",
            (Query("sum by (action) (increase(chargewatch_holdout_total[1d]))", "{{action}}"),),
        ),
        Panel(
            "Disputed although blocked",
            "In a day. Many: nobody carries the actions out.",
            (Query("sum(increase(chargewatch_disputed_blocks_total[1d]))", "charges"),),
        ),
    ),
)  # fmt: skip

_RULES: Final = Row(
    "Rules",
    (
        Panel(
            "Matches an hour",
            "Of rules in force, those that only watch apart; rules of merchants are one.",
            (Query("3600 * topk(12, sum by (rule, shadow) "
                   "(rate(chargewatch_rule_matches_total[1h])))",
                   "{{rule}}, shadow {{shadow}}"),),
        ),
        Panel(
            "Decisions an hour",
            "Charges that a rule decided.",
            (Query("3600 * topk(12, sum by (rule) (rate(chargewatch_rule_decisions_total[1h])))",
                   "{{rule}}"),),
        ),
        Panel(
            "Precision of rules, 30 days",
            "Frauds among the charges that a rule matched, past their "
            "horizon, by inverse propensity.",
            (
                Query(
                    "sum by (rule) (increase(chargewatch_rule_frauds_total[30d])) "
                    "/ sum by (rule) (increase(chargewatch_rule_seen_total[30d]))",
                    "{{rule}}",
                ),
            ),
            unit="percentunit", kind="bargauge",
        ),
        Panel(
            "Rules in force",
            "All merchants together, as workers have them.",
            (Query("max(chargewatch_rules)"),),
            kind="stat", width=4,
        ),
        Panel(
            "Edits that could not be used",
            "In a day, by topic: rules, lists, settings of merchants.",
            (Query("sum by (topic) (increase(chargewatch_policy_rejected_total[1d]))",
                   "{{topic}}"),),
            kind="stat", width=4, limits=(1.0, 10.0),
        ),
        Panel(
            "Fraud rate of remote card payments, 90 days",
            "Value of fraud over value charged, by the band of amounts "
            "up to so many euros: what exemptions "
            "depend on.",
            (Query("max by (band) (chargewatch_fraud_rate)", "up to {{band}} EUR"),),
            unit="percentunit",
        ),
    ),
)  # fmt: skip

_REVIEWS: Final = Row(
    "Reviews",
    (
        Panel(
            "Waiting for a verdict",
            "Charges in the queue.",
            (Query("max(chargewatch_console_reviews_waiting)"),),
            kind="stat", width=4,
        ),
        Panel(
            "Oldest that waits",
            "Since it was made.",
            (Query("max(chargewatch_console_oldest_review_seconds)"),),
            unit="s", kind="stat", width=4, limits=(14_400.0, 28_800.0),
        ),
        Panel(
            "Queue",
            "Charges that wait, and those sent to it in an hour.",
            (
                Query("max(chargewatch_console_reviews_waiting)", "waiting"),
                Query('sum(increase(chargewatch_scored_total{action="review"}[1h]))',
                      "sent to it in an hour"),
            ),
        ),
        Panel(
            "Answered by fallback",
            "Charges a minute that the API answered without a score, by action.",
            (Query("60 * sum by (action) (rate(chargewatch_api_fallbacks_total[$__rate_interval]))",
                   "{{action}}"),),
        ),
    ),
)  # fmt: skip

_FOUND: Final = Row(
    "What blocking brings, of charges whose label horizon has passed",
    (
        Panel(
            "Precision of blocks, 30 days",
            "Doubly robust; self-normalised, of what the holdout covers; "
            "what the scores alone imply.",
            (
                Query(
                    f"(sum(increase(chargewatch_matured_expected_total{_BLOCK}[30d])) "
                    f"+ sum(increase(chargewatch_matured_frauds_total{_BLOCK}[30d])) "
                    f"- sum(increase(chargewatch_matured_expected_of_seen_total{_BLOCK}[30d]))) "
                    f"/ sum(increase(chargewatch_matured_charges_total{_BLOCK}[30d]))",
                    "doubly robust",
                ),
                Query(
                    f"sum(increase(chargewatch_matured_frauds_total{_BLOCK}[30d])) "
                    f"/ sum(increase(chargewatch_matured_seen_total{_BLOCK}[30d]))",
                    "self-normalised",
                ),
                Query(
                    f"sum(increase(chargewatch_matured_expected_total{_BLOCK}[30d])) "
                    f"/ sum(increase(chargewatch_matured_charges_total{_BLOCK}[30d]))",
                    "by the scores",
                ),
            ),
            unit="percentunit", width=12,
        ),
        Panel(
            "Effective sample size, 30 days",
            "How many labels the estimates of blocks are worth (Kish). Below 50 they are a guess.",
            (
                Query(
                    f"sum(increase(chargewatch_matured_seen_total{_BLOCK}[30d])) ^ 2 "
                    f"/ sum(increase(chargewatch_matured_seen_squares_total{_BLOCK}[30d]))",
                    "labels",
                ),
            ),
            width=12,
        ),
    ),
)  # fmt: skip

RISK_TEAM: Final = Dashboard(
    "risk-team",
    "Chargewatch: risk team",
    "What was done with charges, what decided it, and what it brings.",
    (_DONE, _RULES, _REVIEWS, _FOUND),
    span="now-24h",
)
