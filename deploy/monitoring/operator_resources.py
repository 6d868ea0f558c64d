"""Rows of the operator's dashboard on what is used: workers, Kafka, API and console."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels import Panel, Query, Row, quantiles

WORKERS: Final = Row(
    "What workers use",
    (
        Panel(
            "Computing, by stage",
            "Share of a second in which a stage computes, over all "
            "workers. One worker has about one.",
            (Query("sum by (stage) (rate(chargewatch_busy_seconds_total[$__rate_interval]))",
                   "{{stage}}"),),
            unit="percentunit", is_stacked=True,
        ),
        Panel(
            "CPU",
            "Cores, by process.",
            (Query('sum by (instance) (rate(process_cpu_seconds_total{job=~".*chargewatch-.*"}'
                   "[$__rate_interval]))", "{{instance}}"),),
        ),
        Panel(
            "Memory",
            "Resident, by process.",
            (Query('sum by (instance) (process_resident_memory_bytes{job=~".*chargewatch-.*"})',
                   "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            "Records found in memory",
            "Of those that events asked for. Low: raise `cache_records`, if there is memory.",
            (
                Query(
                    "1 - sum by (entity) (rate(chargewatch_cache_misses_total[$__rate_interval])) "
                    "/ sum by (entity) (rate(chargewatch_cache_lookups_total[$__rate_interval]))",
                    "{{entity}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "State on disk",
            "By worker; the changelog has as much.",
            (Query("sum by (instance) (chargewatch_state_bytes)", "{{instance}}"),),
            unit="bytes", is_stacked=True,
        ),
        Panel(
            "RocksDB",
            "In memory, and yet to be compacted. Stalled databases hold up commits.",
            (
                Query("sum(chargewatch_state_memtable_bytes)", "memtables"),
                Query("sum(chargewatch_state_cache_bytes)", "block cache"),
                Query("sum(chargewatch_state_compaction_bytes)", "to be compacted"),
            ),
            unit="bytes",
        ),
    ),
)  # fmt: skip

KAFKA: Final = Row(
    "Kafka, as clients see it",
    (
        Panel(
            "Round trip, by broker",
            "99th percentile, the slowest client. One broker above the "
            "others: its disk or network.",
            (Query("max by (broker) (chargewatch_kafka_round_trip_seconds)", "broker {{broker}}"),),
            unit="s",
        ),
        Panel(
            "Errors",
            "Of sending and receiving, time-outs, connections that ended; a second.",
            (Query("sum by (kind) (rate(chargewatch_kafka_client_errors_total[$__rate_interval]))",
                   "{{kind}}"),),
        ),
        Panel(
            "Waiting in clients",
            "Messages to be sent, and requests without an answer.",
            (
                Query("sum by (client) (chargewatch_kafka_queued_messages)",
                      "messages, {{client}}"),
                Query("sum by (client) (chargewatch_kafka_unanswered_requests)",
                      "requests, {{client}}"),
            ),
        ),
    ),
)  # fmt: skip

WEB: Final = Row(
    "API and console",
    (
        Panel(
            "API requests, by status",
            "A second.",
            (Query("sum by (status) (rate(chargewatch_api_requests_total[$__rate_interval]))",
                   "{{status}}"),),
            is_stacked=True,
        ),
        Panel(
            "Answered without a score",
            "Share of charges that were answered by fallback, and of those without any answer.",
            (
                Query(
                    "sum(rate(chargewatch_api_fallbacks_total[$__rate_interval])) "
                    "/ sum(rate(chargewatch_api_answer_seconds_count[$__rate_interval]))",
                    "fallback",
                ),
                Query(
                    "sum(rate(chargewatch_api_unanswered_total[$__rate_interval])) "
                    "/ sum(rate(chargewatch_api_answer_seconds_count[$__rate_interval]))",
                    "no answer",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Under way",
            "Charges that the API is answering, and those that workers still have to score.",
            (
                Query("sum(chargewatch_api_in_flight)", "answering"),
                Query("sum(chargewatch_api_unscored)", "to be scored"),
            ),
        ),
        Panel(
            "Read model behind",
            "Above 30 s charges cannot be looked up by the API.",
            (Query("max by (job) (chargewatch_read_model_behind_seconds)", "{{job}}"),),
            unit="s", limits=(10.0, 30.0),
        ),
        Panel(
            "Console requests, by status",
            "A second.",
            (Query("sum by (status) (rate(chargewatch_console_requests_total[$__rate_interval]))",
                   "{{status}}"),),
            is_stacked=True,
        ),
        Panel(
            "Console, until the answer",
            "All pages.",
            quantiles("chargewatch_console_answer_seconds"),
            unit="s",
        ),
        Panel(
            "Certificates end in",
            "The first of each file that a process has loaded.",
            (Query("min by (of) (chargewatch_certificate_expires_seconds) - time()", "{{of}}"),),
            unit="s", kind="bargauge",
        ),
    ),
)  # fmt: skip
