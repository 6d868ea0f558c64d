"""What a console tells Prometheus; no user, card or merchant is in a label."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "chargewatch_console_requests", "Requests, by page and status", ["page", "status"]
)
ANSWER_SECONDS = Histogram(
    "chargewatch_console_answer_seconds",
    "From a request until its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
REFUSED_SIGN_INS = Counter(
    "chargewatch_console_refused_sign_ins", "Sign-ins with a wrong name or password, or too many"
)
REVIEWS_WAITING = Gauge(
    "chargewatch_console_reviews_waiting",
    "Charges that wait for a verdict; NaN where it is unknown",
)
OLDEST_REVIEW_SECONDS = Gauge(
    "chargewatch_console_oldest_review_seconds", "Time since the oldest of them was made, or 0"
)
IS_AWAY = Gauge("chargewatch_console_kafka_away", "1 while the brokers do not answer, else 0")
