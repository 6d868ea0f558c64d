"""A task as a worker runs it: its stages above one state."""

from pathlib import Path

from agents.drift.daily_blocks import block_layout
from agents.drift.quantities import Watch
from agents.policy.policy import Policy
from agents.policy.terms import Terms, TermsTable
from agents.rules.figures import Figures
from agents.settings.schema import SIGNALS, Settings
from agents.settings.sources import SettingsError
from agents.shared_entities.entity_stage import EntityStage
from agents.shared_entities.gathering import Gathering
from agents.stages.card import card_stage
from agents.stages.deciding import Decisions
from agents.stages.merchant import MerchantStage
from schemas.signals import SignalError
from streams.durations import DAY_S, HOUR_S
from streams.engine.task import Task
from streams.events.methods import own_times
from streams.features.entities import CARDS, MERCHANTS, RECORDED, SHARED
from streams.features.signals import features_with
from streams.features.spec import Feature
from streams.labels.label_rules import LabelRules, Times
from streams.labels.pending import pending_layout
from streams.layouts.layout import Record
from streams.state.record_cache import Lookups
from streams.state.rocksdb import RocksStore
from streams.state.store import Store
from streams.state.tables import TaskState
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT, PART_LAYOUT
from streams.wire.examples import example_layout
from streams.wire.frames import FRAME_LAYOUT
from streams.wire.matured import MATURED_LAYOUT

STATE_FORMS = ("named", "f7f75f609b9b64e0")
"""Records behind the head of a named layout, and as the first release wrote them."""


class TaskStages:
    """The card, the entity and the merchant stage of one task, and what waits for the last."""

    def __init__(self, state: TaskState, settings: Settings) -> None:
        rules = LabelRules(
            horizon_s=settings.label_horizon_days * DAY_S,
            retention_s=settings.dispute_retention_days * DAY_S,
            negative_rate=settings.negative_rate,
            is_advisory=settings.actions == "advisory",
            challenge_success_share=settings.costs.challenge_success_share,
            methods=times_of_methods(settings),
        )
        self.card = card_stage(state, settings)
        self.entities = EntityStage(state, settings.cache_records)
        self.gathering = Gathering(state, settings.entities)
        self.merchant = MerchantStage(
            state,
            rules,
            settings.dedup_window_hours * HOUR_S,
            Decisions(settings.holdout_key.encode(), has_test_cards=settings.test_cards),
            settings.cache_records,
            figures_of(settings).usd_per_eur,
            settings.signals,
            settings.entities,
            settings.payment_methods,
        )

    @property
    def waiting(self) -> int:
        """See `streams.engine.task.Stages.waiting`."""
        return len(self.gathering)

    def take_lookups(self) -> dict[str, Lookups]:
        """Return, by kind of entity, how many records were asked for since this was last called."""
        return {
            CARDS.name: self.card.take_lookups(),
            MERCHANTS.name: self.merchant.take_lookups(),
            SHARED.name: self.entities.take_lookups(),
        }

    def flush(self) -> None:
        """See `streams.engine.task.Stages.flush`."""
        self.card.flush()
        self.entities.flush()
        self.gathering.flush()
        self.merchant.flush()

    def reload(self) -> None:
        """See `streams.engine.task.Stages.reload`."""
        self.card.reload()
        self.entities.reload()
        self.gathering.reload()
        self.merchant.reload()


def times_of_methods(settings: Settings) -> dict[int, Times]:
    """Return the times of the payment methods that have their own, by the codes of the methods."""
    horizon_days, retention_days = settings.label_horizon_days, settings.dispute_retention_days
    return {
        own_times(method): Times(
            (method.label_horizon_days or horizon_days) * DAY_S,
            (method.dispute_retention_days or retention_days) * DAY_S,
        )
        for method in settings.payment_methods
        if method.has_own_times
    }


def terms_of(settings: Settings) -> Terms:
    """Return the terms of an installation; nothing is held back where nothing is stopped."""
    return Terms(
        costs=settings.costs,
        holdout_share=settings.holdout_share if settings.actions == "enforced" else 0.0,
        holdout_amount_max_usd=settings.holdout_amount_max_usd,
        holdout_budget_usd=settings.holdout_budget_usd,
        methods=settings.payment_methods,
    )


def figures_of(settings: Settings) -> Figures:
    """Return the figures of an installation where nothing has been charged.

    Raises
    ------
    RatesError
        When the file of rates cannot be used.
    """
    rates = settings.input_rules.rates
    return Figures(rates.usd(10 ** rates.decimals["eur"], "eur")) if "eur" in rates else Figures()


def bare_policy(settings: Settings) -> Policy:
    """Return the policy of an installation where no merchant has decided anything."""
    return Policy(TermsTable(terms_of(settings)), figures=figures_of(settings))


def open_store(number: int, settings: Settings) -> Store:
    """Open the local store of a task, which may have to be restored."""
    return RocksStore(state_directory(settings) / str(number), *STATE_FORMS)


def state_directory(settings: Settings) -> Path:
    """Return where the local stores of all tasks are, each under its number."""
    return Path(settings.state_dir) / settings.group_id


def new_task(number: int, store: Store, settings: Settings) -> Task:
    """Put a task together above its restored store."""
    state = TaskState(store)
    return Task(number, state, TaskStages(state, settings))


def features_of(settings: Settings) -> tuple[Feature, ...]:
    """Return the columns of the vectors of an installation.

    Raises
    ------
    SettingsError
        When a signal has the name of a feature.
    """
    try:
        return features_with(settings.signals, settings.entities)
    except SignalError as error:
        raise SettingsError(f"{SIGNALS}: {error}") from None


def layouts_of(settings: Settings) -> tuple[Record, ...]:
    """Return those of all records that outlive a version: in the state, on internal topics."""
    features = features_of(settings)
    return (
        *(entity.record for entity in RECORDED),
        pending_layout(features, settings.entities),
        block_layout(Watch(features)),
        FRAME_LAYOUT,
        ENTITY_EVENT_LAYOUT,
        PART_LAYOUT,
        example_layout(features),
        MATURED_LAYOUT,
    )
