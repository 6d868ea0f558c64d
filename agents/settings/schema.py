"""What can be set; `agents.settings.sources` reads it from flags, the environment and a file."""

import os
import socket
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agents.settings.costs import Costs
from agents.settings.methods import check_times
from schemas.charge import SHARED_FIELDS, Charge
from schemas.currency import bundled_rates, read_rates
from schemas.input_rules import CardNumbers, InputRules
from schemas.method_table import METHODS, PaymentMethod
from schemas.signals import Signal

COSTS = "costs"
"""Name of the table of costs among the settings."""

SIGNALS = "signals"
"""Name of the table of signals among them."""

PAYMENT_METHODS = "payment_methods"
"""Name of the table of payment methods among them."""

_EXACTLY_ONCE_MS, _AT_LEAST_ONCE_MS = 20, 100
"""Between two commits, where it is not set; measured, see tests/bench/RESULTS.md."""

Actions = Literal["enforced", "advisory"]

_NAME = "[A-Za-z0-9._-]"
_NAME_TEXT = "ASCII letters, digits, dots, hyphens or underscores"


def _this_process() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of an installation; each field says what it is, in its metadata.

    Examples
    --------
    >>> Settings().commit_interval_s
    0.02
    """

    bootstrap_servers: Annotated[
        str, Meta(description="Kafka's brokers, `host:port` with commas between")
    ] = ""
    application_id: Annotated[
        str,
        Meta(
            pattern=f"^{_NAME}{{1,100}}$",
            extra={"expected": f"1 to 100 {_NAME_TEXT}"},
            description="consumer group of the workers and start of their transactional ids",
        ),
    ] = "chargewatch"
    topic_prefix: Annotated[
        str,
        Meta(
            pattern=f"^{_NAME}{{0,200}}$",
            extra={"expected": f"at most 200 {_NAME_TEXT}"},
            description="put before every topic, so that installations can share a cluster",
        ),
    ] = ""
    instance_id: Annotated[
        str,
        Meta(
            pattern=f"^{_NAME}{{0,200}}$",
            extra={"expected": f"at most 200 {_NAME_TEXT}"},
            description="makes the worker a static member of the group, so that a restart within "
            "the session timeout moves no task; must differ between workers",
        ),
    ] = ""
    state_dir: Annotated[
        Path, Meta(description="local state of the tasks; rebuilt from Kafka when it is lost")
    ] = Path("state")
    processing_guarantee: Annotated[
        Literal["exactly_once", "at_least_once"],
        Meta(description="`at_least_once` does without transactions, for the lowest latency"),
    ] = "exactly_once"
    commit_interval_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="longest time between two commits; 0 for 20 exactly once, and 100 at least "
            "once, where nothing waits for them",
        ),
    ] = 0
    session_timeout_ms: Annotated[
        int,
        Meta(ge=6000, le=300_000, description="silence after which others take a worker's tasks"),
    ] = 10_000
    max_batch: Annotated[
        int, Meta(ge=1, le=100_000, description="events processed together at the most, about")
    ] = 4000
    cache_records: Annotated[
        int,
        Meta(ge=1000, description="cards, and merchants, whose records a task keeps in memory"),
    ] = 100_000
    web_port: Annotated[
        int, Meta(ge=0, le=65_535, description="port of a worker's web server; 0 for a free one")
    ] = 6066
    worker_id: Annotated[
        str,
        Meta(
            pattern=f"^{_NAME}{{1,200}}$",
            extra={"expected": f"1 to 200 {_NAME_TEXT}"},
            description="names a worker among those of the application; by default host and pid",
        ),
    ] = msgspec.field(default_factory=_this_process)
    standby_replicas: Annotated[
        int,
        Meta(ge=0, le=10, description="other workers that keep a copy of each task's state"),
    ] = 0
    wedged_after_s: Annotated[
        float,
        Meta(ge=1, description="a worker without progress for so long ends itself"),
    ] = 120.0
    label_horizon_days: Annotated[
        float,
        Meta(
            gt=0,
            le=180,
            description="a charge not disputed for so long counts as genuine; some payment methods "
            "have a horizon of their own",
        ),
    ] = 30.0
    dispute_retention_days: Annotated[
        float,
        Meta(
            gt=0,
            le=200,
            description="how long a charge is kept for a dispute to learn from; some payment "
            "methods have a time of their own",
        ),
    ] = 180.0
    negative_rate: Annotated[
        float,
        Meta(
            gt=0, le=1, description="share of the genuine charges that tell how frequent fraud is"
        ),
    ] = 0.1
    actions: Annotated[
        Actions,
        Meta(
            description="whether the scored actions are carried out, so that the silence of what "
            "they stop is no label; `advisory`: every charge is taken to have gone through"
        ),
    ] = "enforced"
    holdout_share: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="share of the charges that would be stopped which is let through at "
            "random, to learn from; 0 for none",
        ),
    ] = 0.02
    holdout_amount_max_usd: Annotated[
        float, Meta(ge=0, description="largest amount that is let through for the holdout")
    ] = 100.0
    holdout_budget_usd: Annotated[
        float,
        Meta(
            ge=0,
            description="loss that may be expected of a merchant's holdout on one day, at the most",
        ),
    ] = 500.0
    holdout_key: Annotated[
        str,
        Meta(
            pattern=r"^([\s\S]{16,})?$",
            extra={"expected": "a secret text of at least 16 characters", "is_secret": True},
            description="secret by which the holdout is drawn; the same for all workers. Without "
            "one the draw is the same everywhere, and could be foreseen",
        ),
    ] = ""
    test_cards: Annotated[
        bool,
        Meta(
            description="whether the cards `test_allow`, `test_challenge`, `test_review`, "
            "`test_block`, `test_elevated` and `test_highest` force their outcome"
        ),
    ] = False
    dedup_window_hours: Annotated[
        float, Meta(ge=0, le=720, description="a charge id seen again within it is a duplicate")
    ] = 24.0
    orphan_wait_hours: Annotated[
        float,
        Meta(
            ge=0,
            le=720,
            description="by how long charges have to pass a dispute whose charge has not come",
        ),
    ] = 24.0
    future_allowance_minutes: Annotated[
        float,
        Meta(
            ge=0,
            description="how far ahead of the clock `created` may be; "
            "windows miss nothing up to 60 minutes behind their card's or merchant's newest charge",
        ),
    ] = 60.0
    card_numbers: Annotated[
        CardNumbers,
        Meta(
            description="`strict` also rejects what looks like a card number in `id`, `charge` or "
            "`merchant`, which `lenient` counts"
        ),
    ] = "lenient"
    card_hash_key: Annotated[
        str,
        Meta(
            pattern=r"^([\s\S]{16,})?$",
            extra={"expected": "a secret text of at least 16 characters", "is_secret": True},
            description="secret by which a card number in `card` is replaced by its keyed hash; "
            "without one, a card number there rejects the event",
        ),
    ] = ""
    currency_rates: Annotated[
        str,
        Meta(
            description="file of the decimals and rates of all currencies that are taken, in place "
            "of `schemas/currencies.toml`; the same for all workers"
        ),
    ] = ""
    snapshot_every_examples: Annotated[
        int, Meta(ge=1, description="examples from one snapshot of the model to the next")
    ] = 1000
    snapshot_every_s: Annotated[
        float, Meta(gt=0, description="or seconds, when examples are few")
    ] = 5.0
    schema_registry_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^@\s,]+(,https?://[^@\s,]+)*)?$",
            extra={
                "expected": "http or https addresses with commas between, and no credentials",
                "is_secret": True,
            },
            description="schema registry; where it is set, inputs may be in the framing of Avro, "
            "Protobuf or JSON Schema beside plain JSON, told by their first byte or a header",
        ),
    ] = ""
    mapping: Annotated[
        str,
        Meta(
            description="mapping by which workers read messages in a company's own shape: a ready "
            "one (`chargewatch map list`), or a file of TOML; the same for all workers"
        ),
    ] = ""
    scored_format: Annotated[
        Literal["json", "json_schema", "avro"],
        Meta(
            description="how `scored` is written; all but `json` in the framing of the schema "
            "registry, their schema registered under `<topic>-value`; the same for all workers"
        ),
    ] = "json"
    challengers: Annotated[
        tuple[str, ...],
        Meta(
            extra={"expected": "kinds of models with commas between"},
            description="kinds of models that learn beside the champion, and score in shadow",
        ),
    ] = ()
    promote_after_frauds: Annotated[
        int,
        Meta(
            ge=0,
            description="frauds over which a challenger has to score better to be promoted by "
            "itself; 0 for never",
        ),
    ] = 0
    api_host: Annotated[
        str,
        Meta(
            description="address that the HTTP API listens on; by default all of the machine's "
            "where there are keys, else the loopback alone"
        ),
    ] = ""
    api_port: Annotated[
        int, Meta(ge=0, le=65_535, description="port of the HTTP API; 0 for a free one")
    ] = 8080
    api_tls_cert: Annotated[
        str, Meta(description="file of the API's certificate and its chain, PEM; none for no TLS")
    ] = ""
    api_tls_key: Annotated[
        str, Meta(description="file of its private key, PEM; none if it is in `api_tls_cert`")
    ] = ""
    api_deadline_ms: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="after which a charge is answered by fallback, where a request names none",
        ),
    ] = 250
    api_in_flight_max: Annotated[
        int, Meta(ge=1, description="charges that one replica answers at a time")
    ] = 1000
    api_rate_limit_per_s: Annotated[
        float, Meta(ge=0, description="requests a second of one key at a replica; 0 for no limit")
    ] = 1000.0
    api_body_bytes_max: Annotated[
        int,
        Meta(ge=1024, description="size of a request's body; of an event never above 65536"),
    ] = 1024 * 1024
    console_host: Annotated[
        str,
        Meta(
            description="address that the console listens on; another than the loopback needs TLS, "
            "here or at a proxy that `console_url` names"
        ),
    ] = "127.0.0.1"
    console_port: Annotated[
        int, Meta(ge=0, le=65_535, description="port of the console; 0 for a free one")
    ] = 8081
    console_tls_cert: Annotated[
        str,
        Meta(description="file of the console's certificate and its chain, PEM; none for no TLS"),
    ] = ""
    console_tls_key: Annotated[
        str,
        Meta(description="file of its private key, PEM; none if it is in `console_tls_cert`"),
    ] = ""
    console_url: Annotated[
        str,
        Meta(
            pattern=r"^(https://[^/\s]+)?$",
            extra={"expected": "https:// and a host, such as https://fraud.example"},
            description="where browsers find the console, if a proxy before it has TLS",
        ),
    ] = ""
    console_idle_minutes: Annotated[
        float,
        Meta(
            gt=0, le=720, description="after which a session of the console ends that does nothing"
        ),
    ] = 60.0
    console_four_eyes: Annotated[
        bool,
        Meta(
            description="whether what a manager changes about rules in the console waits for "
            "another one to put it in force"
        ),
    ] = False
    console_oidc_issuer: Annotated[
        str,
        Meta(
            pattern=r"^(https://\S+|http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?)?$",
            extra={"expected": "https:// and where the provider is, as it calls itself"},
            description="OpenID Connect provider by which users of the console may sign in too",
        ),
    ] = ""
    console_oidc_client_id: Annotated[
        str, Meta(description="what the provider calls the console")
    ] = ""
    console_oidc_client_secret: Annotated[
        str,
        Meta(
            extra={"expected": "a secret text", "is_secret": True},
            description="what the console shows the provider; none for a public client",
        ),
    ] = ""
    console_oidc_claim: Annotated[
        str,
        Meta(
            pattern="^[a-z_]{1,64}$",
            extra={"expected": "a claim, such as email or preferred_username"},
            description="claim of the provider that is the name of a user",
        ),
    ] = "email"
    read_model_url: Annotated[
        str,
        Meta(
            extra={
                "expected": "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
                "is_secret": True,
            },
            description="database of the console's read model, of SQLite or PostgreSQL; by default "
            "`read_model.sqlite` in `state_dir`",
        ),
    ] = ""
    read_model_retention_days: Annotated[
        float,
        Meta(gt=0, description="how long the read model has a charge, by the time of the newest"),
    ] = 90.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least that is logged")
    ] = "info"
    traces_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://\S+)?$",
            extra={"expected": "an http:// or https:// address"},
            description="where spans go of charges whose `traceparent` is sampled: a collector of "
            "OpenTelemetry, such as `http://localhost:4318/v1/traces`; none for no spans",
        ),
    ] = ""
    entities: Annotated[
        tuple[Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")], ...],
        Meta(
            extra={"expected": "fields of a charge with commas between, such as device,ip,email"},
            description="what charges of many cards share, beside the merchant: `device`, `ip`, "
            "`email`, or a producer's own fields, whose values become entities with a history; a "
            "comma alone for none",
        ),
    ] = ("device", "ip", "email")
    costs: Costs = msgspec.field(default_factory=Costs)
    signals: tuple[Signal, ...] = ()
    payment_methods: tuple[PaymentMethod, ...] = METHODS

    def __repr__(self) -> str:
        secrets = "card_hash_key", "holdout_key", "console_oidc_client_secret", "read_model_url"
        secret = dict.fromkeys(secrets, "...")
        shown = msgspec.structs.asdict(self) | secret
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def input_rules(self) -> InputRules:
        """How inputs are read.

        Raises
        ------
        RatesError
            When the file of rates cannot be used.
        """
        file = self.currency_rates
        rates = read_rates(Path(file)) if file else bundled_rates()
        return InputRules(self.card_numbers, self.card_hash_key.encode(), rates, self.signals)

    @property
    def is_exactly_once(self) -> bool:
        """Whether outputs and what they stand on count together or not at all."""
        return self.processing_guarantee == "exactly_once"

    @property
    def group_id(self) -> str:
        """Consumer group of the workers, start of their transactional ids, name of their state."""
        return f"{self.topic_prefix}{self.application_id}"

    @property
    def commit_interval_s(self) -> float:
        """Longest time between two commits, seconds."""
        chosen_ms = _EXACTLY_ONCE_MS if self.is_exactly_once else _AT_LEAST_ONCE_MS
        return (self.commit_interval_ms or chosen_ms) / 1e3

    def __post_init__(self) -> None:
        if self.scored_format != "json" and not self.schema_registry_url:
            raise ValueError(
                f"scored_format: expected schema_registry_url to be set for {self.scored_format}"
            )
        for kind in self.entities:
            if kind in Charge.__struct_fields__ and kind not in SHARED_FIELDS:
                raise ValueError(
                    f"entities: expected {', '.join(SHARED_FIELDS)} or fields of your own, "
                    f"got {kind!r}"
                )
        if len(set(self.entities)) < len(self.entities):
            raise ValueError("entities: expected each once")
        if self.dispute_retention_days < self.label_horizon_days:
            raise ValueError(
                "dispute_retention_days: expected at least label_horizon_days "
                f"({self.label_horizon_days:g}), got {self.dispute_retention_days:g}"
            )
        check_times(self.payment_methods, self.label_horizon_days, self.dispute_retention_days)


FIELDS: Mapping[str, msgspec.structs.FieldInfo] = {
    field.name: field
    for field in msgspec.structs.fields(Settings)
    if field.name not in {COSTS, SIGNALS, PAYMENT_METHODS}
}
COST_FIELDS = tuple(field.name for field in dataclass_fields(Costs))
