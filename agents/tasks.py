"""A task as a worker runs it: the two stages above one state."""

import hashlib
from pathlib import Path

from agents.card import SEEN, card_stage
from agents.drift.blocks import BLOCK
from agents.drift.signals import SIGNALS
from agents.merchant import MerchantStage
from agents.settings import Settings
from streams.card_record import CARD
from streams.charge_index import INDEX_LAYOUT
from streams.features import FEATURE_NAMES
from streams.labels import PENDING, LabelRules
from streams.merchant_record import MERCHANT
from streams.rocks import RocksStore
from streams.state import TaskState
from streams.store import Store
from streams.task import Task
from streams.waiting import WAITING_LAYOUT
from streams.windows import WINDOWS

_HOUR_S = 3600.0
_DAY_S = 86_400.0


class TaskStages:
    """The card and the merchant stage of one task."""

    def __init__(self, state: TaskState, settings: Settings) -> None:
        rules = LabelRules(
            horizon_s=settings.label_horizon_days * _DAY_S,
            retention_s=settings.dispute_retention_days * _DAY_S,
            negative_rate=settings.negative_rate,
        )
        self.card = card_stage(state, settings)
        self.merchant = MerchantStage(
            state,
            rules,
            settings.dedup_window_hours * _HOUR_S,
            settings.costs,
            settings.cache_records,
        )

    def flush(self) -> None:
        """See `streams.task.Stages.flush`."""
        self.card.flush()
        self.merchant.flush()

    def reload(self) -> None:
        """See `streams.task.Stages.reload`."""
        self.card.reload()
        self.merchant.reload()


def open_store(number: int, settings: Settings) -> Store:
    """Open the local store of a task, which may have to be restored."""
    name = f"{settings.topic_prefix}{settings.application_id}"
    return RocksStore(Path(settings.state_dir) / name / str(number), FORMAT)


def new_task(number: int, store: Store, settings: Settings) -> Task:
    """Put a task together above its restored store."""
    state = TaskState(store)
    return Task(number, state, TaskStages(state, settings))


def _format() -> str:
    """Name the layout and meaning of everything in a store: another is not read."""
    records = [dtype.descr for dtype in (CARD, MERCHANT, SEEN, PENDING, BLOCK)]
    layout = repr((records, WINDOWS, FEATURE_NAMES, SIGNALS, INDEX_LAYOUT, WAITING_LAYOUT))
    return hashlib.sha256(layout.encode()).hexdigest()[:16]


FORMAT = _format()
