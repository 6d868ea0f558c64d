"""The one table of topics: what is on each, who writes it, and how it is kept.

A topic is a row here: its name with the prefix (`streams.kafka.topics.Topics`), the settings it is
made with, and for a public one its part of the AsyncAPI document follow from it.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from schemas.charge import Charge
from schemas.control import LOADED_PREFIX, Champion, Loaded
from schemas.dispute import Dispute
from schemas.drift import Drift
from schemas.lists import ListEntry
from schemas.merchants import MerchantSettings
from schemas.outcome import Outcome
from schemas.rejected import RejectedHeaders
from schemas.rules import MerchantRules
from schemas.scored import Scored
from schemas.snapshot import Snapshot

INPUT_BYTES_MAX: Final = 1024 * 1024

REJECTED_BYTES_MAX: Final = 2 * INPUT_BYTES_MAX
"""A rejected copy is its input, byte for byte, and headers: room for both, whatever these are."""

MODELS_BYTES_MAX: Final = 8 * INPUT_BYTES_MAX
"""Which model scores is told with the model as it was before, and as it is if it is frozen. The
largest have a forest in them, with some 1 MB when measured."""

Kept = Literal["cluster", "horizon", "week", "months", "changelog", "latest"]
"""How long a topic keeps what is on it: by the cluster's default, for the label horizon and more,
for a week, for two months, as long as the state remembers, or the latest of each key for ever."""

Partitions = Literal["cards", "tasks", "one"]
"""As many as there are tasks, of which the partition of a number belongs to the task of that number
(`tasks`) or is written by key (`cards`); or one."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Another payload of a topic, which its key tells apart."""

    summary: str
    key: str
    payload: type[msgspec.Struct]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic.

    Attributes
    ----------
    name
        Without the prefix.
    action
        What Chargewatch does with it: receives it, sends it, or both, which makes it internal.
    summary, key
        What is on it, and by which key.
    payload, headers, beside
        Of a public topic the types of its messages.
    kept, partitions
        As their types say.
    bytes_max
        Of a message, where the cluster's default is not right.
    segment_bytes
        Of a segment. One that is still written to is never compacted: smaller ones keep short what
        is read at a start.
    """

    name: str
    action: Literal["receive", "send", "internal"]
    summary: str
    key: str
    payload: type[msgspec.Struct] | None = None
    headers: type[msgspec.Struct] | None = None
    beside: tuple[Beside, ...] = ()
    kept: Kept = "cluster"
    partitions: Partitions = "cards"
    bytes_max: int | None = None
    segment_bytes: int | None = None


CHARGES: Final = Topic(
    name="charges",
    action="receive",
    summary="One charge attempt, to be scored.",
    key="the card",
    payload=Charge,
    kept="horizon",
    partitions="tasks",
    bytes_max=INPUT_BYTES_MAX,
)
DISPUTES: Final = Topic(
    name="disputes",
    action="receive",
    summary="A label: a dispute or an issuer's early fraud warning, usually days later.",
    key="the card",
    payload=Dispute,
    kept="horizon",
    partitions="tasks",
    bytes_max=INPUT_BYTES_MAX,
)
OUTCOMES: Final = Topic(
    name="outcomes",
    action="receive",
    summary="What became of a charge after it was scored.",
    key="the card",
    payload=Outcome,
    kept="horizon",
    partitions="tasks",
    bytes_max=INPUT_BYTES_MAX,
)
SCORED: Final = Topic(
    name="scored",
    action="send",
    summary="One scored event for every valid charge.",
    key="the card",
    payload=Scored,
)
REJECTED: Final = Topic(
    name="charges.rejected",
    action="send",
    summary="Every input that could not be used, byte for byte save masked card numbers.",
    key="the input's key",
    headers=RejectedHeaders,
    bytes_max=REJECTED_BYTES_MAX,
)
MODELS: Final = Topic(
    name="models",
    action="send",
    summary="Versioned model snapshots.",
    key="the model's name",
    payload=Snapshot,
    beside=(
        Beside("Which model scores.", "`champion`", Champion),
        Beside("A model to go on from.", f"`{LOADED_PREFIX}` and the model's name", Loaded),
    ),
    kept="latest",
    partitions="one",
    bytes_max=MODELS_BYTES_MAX,
    segment_bytes=32 * 1024 * 1024,
)
RULES: Final = Topic(
    name="rules",
    action="receive",
    summary="The rules of a merchant, or those for all: a whole set in each record.",
    key="the merchant, or `*`",
    payload=MerchantRules,
    kept="latest",
    partitions="one",
)
LISTS: Final = Topic(
    name="lists",
    action="receive",
    summary="One entry of a list that rules ask for.",
    key="the list, `:` and the value",
    payload=ListEntry,
    kept="latest",
    partitions="one",
)
MERCHANTS: Final = Topic(
    name="merchants",
    action="receive",
    summary="The settings of a merchant, or those for all.",
    key="the merchant, or `*`",
    payload=MerchantSettings,
    kept="latest",
    partitions="one",
)
DRIFT: Final = Topic(
    name="drift",
    action="send",
    summary="A lasting change of what is watched.",
    key="the signal",
    payload=Drift,
)
BY_MERCHANT: Final = Topic(
    name="chargewatch.by-merchant",
    action="internal",
    summary="The repartition topic: frames, and what the entities that charges share answer of "
    "them, on their way to the merchant stage.",
    key="none",
    kept="week",
    partitions="tasks",
)
BY_ENTITY: Final = Topic(
    name="chargewatch.by-entity",
    action="internal",
    summary="Charges, and what became of them, on their way to the devices, IP addresses, e-mails "
    "and other entities that they share.",
    key="none",
    kept="week",
    partitions="tasks",
)
CHANGELOG: Final = Topic(
    name="chargewatch.changelog",
    action="internal",
    summary="Changed records of each task, on the task's partition.",
    key="the record's",
    kept="changelog",
    partitions="tasks",
    # Of 32 MB they keep the broker's cleaner busy at full load: the broker took more than half as
    # much CPU again as with 128 MB, where a restore takes a second longer.
    segment_bytes=128 * 1024 * 1024,
)
EXAMPLES: Final = Topic(
    name="chargewatch.examples",
    action="internal",
    summary="Labelled examples on their way to the learners.",
    key="none",
    kept="week",
    partitions="one",
)
MATURED: Final = Topic(
    name="chargewatch.matured",
    action="internal",
    summary="What is known of charges whose label horizon has passed, for the estimates.",
    key="none",
    kept="months",
    partitions="one",
)
CHANGES: Final = Topic(
    name="chargewatch.changes",
    action="internal",
    summary="Every change of rules, lists and merchants' settings, kept for ever.",
    key="what was changed, and its version",
    kept="latest",
    partitions="one",
)
PROPOSALS: Final = Topic(
    name="chargewatch.proposals",
    action="internal",
    summary="Rules that wait for a second manager, and what was decided about them.",
    key="the proposal's id",
    kept="latest",
    partitions="one",
)
REVIEWS: Final = Topic(
    name="chargewatch.reviews",
    action="internal",
    summary="Claims of charges by analysts, and their notes.",
    key="the card",
    kept="horizon",
)
KEYS: Final = Topic(
    name="chargewatch.keys",
    action="internal",
    summary="Keys of the HTTP API, as hashes.",
    key="the key's id",
    kept="latest",
    partitions="one",
)
USERS: Final = Topic(
    name="chargewatch.users",
    action="internal",
    summary="Users of the console, with their roles.",
    key="the user's name",
    kept="latest",
    partitions="one",
)
AUDIT: Final = Topic(
    name="chargewatch.audit",
    action="internal",
    summary="What people did by the console, kept for ever.",
    key="when it was done, and its id",
    kept="latest",
    partitions="one",
)
INSTALLATION: Final = Topic(
    name="chargewatch.installation",
    action="internal",
    summary="What the installation keeps about itself.",
    key="what it is",
    kept="latest",
    partitions="one",
)

TOPICS: Final = (
    CHARGES,
    DISPUTES,
    OUTCOMES,
    SCORED,
    REJECTED,
    MODELS,
    RULES,
    LISTS,
    MERCHANTS,
    DRIFT,
    BY_MERCHANT,
    BY_ENTITY,
    CHANGELOG,
    EXAMPLES,
    MATURED,
    CHANGES,
    PROPOSALS,
    REVIEWS,
    KEYS,
    USERS,
    AUDIT,
    INSTALLATION,
)
