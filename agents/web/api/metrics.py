"""What a replica of the API tells Prometheus; no card or merchant is in a label."""

from prometheus_client import Counter, Gauge, Histogram

from schemas.scored import ACTIONS

REQUESTS = Counter("chargewatch_api_requests", "Requests, by call and status", ["call", "status"])
ANSWER_SECONDS = Histogram(
    "chargewatch_api_answer_seconds",
    "From a charge's request until its answer",
    ["source"],
    buckets=(0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 10.0),
)
FALLBACKS = Counter(
    "chargewatch_api_fallbacks", "Charges answered without their score, by action", ["action"]
)
UNANSWERED = Counter(
    "chargewatch_api_unanswered",
    "Charges without any answer, by whether they may be scored all the same",
    ["accepted"],
)
IN_FLIGHT = Gauge("chargewatch_api_in_flight", "Charges that are being answered")
UNSCORED = Gauge(
    "chargewatch_api_unscored", "Charges of this replica that the workers still have to score"
)
IS_AWAY = Gauge("chargewatch_api_kafka_away", "1 while the brokers do not answer, else 0")

for _action in ACTIONS:  # else the first count would be no increase
    FALLBACKS.labels(_action)
for _accepted in ("no", "unknown"):
    UNANSWERED.labels(_accepted)
