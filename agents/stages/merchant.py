"""The merchant stage: frames by merchant become scored events and labelled examples."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from agents.drift.daily_blocks import block_layout, watched_in
from agents.drift.monitor import DriftMonitor
from agents.drift.quantities import Watch
from agents.models.prior import VERSION as PRIOR
from agents.models.protocols import Scorer
from agents.policy.fraud_rates import FraudValue
from agents.policy.policy import Policy
from agents.shared_entities.columns import Columns, SharedColumns
from agents.stages.daily_fraud_value import CHARGED, DISPUTED, DailyFraudValue
from agents.stages.deciding import Decisions
from agents.stages.entity_news import entity_news
from agents.stages.merchant_output import MerchantOutput
from agents.stages.reasons import Reasons
from agents.stages.scored_events import Verdicts, encode_scored, shadow_scores
from schemas.method_table import METHODS, PaymentMethod
from schemas.scored import ALLOW, BLOCK, BY_MODEL, BY_TEST_CARD
from schemas.signals import Signal
from streams.durations import HOUR_S
from streams.events.batch import Batch
from streams.events.headers import taken_off
from streams.events.methods import MethodTable
from streams.events.rows import CHARGE, Rows
from streams.features.charge import charge_features
from streams.features.entities import CHARGE_FEATURES, ENTITIES, MERCHANTS
from streams.features.merchant_fraud_history import count_stopped
from streams.features.signals import features_with, read_signals
from streams.labels.disputes import Joined, join_labels
from streams.labels.join import LabelJoin, Matured
from streams.labels.label_rules import LabelRules
from streams.labels.lookup import Times, find_referred
from streams.labels.pending import draws_of, pending_layout
from streams.layouts.raw_rows import contiguous, rows_at
from streams.state.entity_records import EntityRecords
from streams.state.record_cache import Lookups, Slots
from streams.state.tables import TaskState
from streams.wire.examples import BY_DISPUTE, BY_VERDICT
from streams.wire.frames import features_of

NO_SHADOW: Mapping[str, Scorer] = MappingProxyType({})

PROGRESS = b"progress"
"""Under it the table META has `Progress`."""


class Progress(NamedTuple):
    """How far a task has come.

    `matured_until` is the time of creation up to which charges have matured, whatever the horizon
    was then; from 0 on, where the first release did not tell, are just those that have not. It
    is not of methods with times of their own: see `streams.labels.horizons`.
    """

    stream_time: float
    review_tokens: int
    matured_until: float = 0.0


class Beside(NamedTuple):
    """What charges have beside their features: u8[N, kinds] entities, f4[N, M] columns by these."""

    entity_keys: npt.NDArray[np.uint64]
    columns: npt.NDArray[np.float32]


class MerchantStage:
    """Updates the merchants of one task, scores, decides, and joins labels.

    Parameters
    ----------
    state
        Tables of the task.
    rules
        When labels come.
    dedup_window_s
        For how long a duplicate charge gets the answer of the first, seconds of event time.
    decisions
        Decides the charges.
    capacity
        Merchant records held in memory at most, and distinct merchants in a batch.
    usd_per_eur
        What a euro is worth, US dollars; NaN where that is not known.
    signals
        Fields of a producer's own that charges have.
    entities
        Kinds of shared entities that they have.
    methods
        The table of payment methods.

    Attributes
    ----------
    stream_time
        The newest time of a charge, Unix seconds; 0 before the first. Disputes do not move it.
    """

    stream_time: float

    def __init__(
        self,
        state: TaskState,
        rules: LabelRules,
        dedup_window_s: float,
        decisions: Decisions,
        capacity: int,
        usd_per_eur: float,
        signals: Sequence[Signal] = (),
        entities: Sequence[str] = (),
        methods: Sequence[PaymentMethod] = METHODS,
    ) -> None:
        features = features_with(signals, entities)
        watch = Watch(features)
        self._merchants = EntityRecords(state, MERCHANTS, capacity)
        self._meta = state.meta
        self._labels = LabelJoin(state, rules, features, entities)
        self._rules = rules
        self._dedup_window_s = dedup_window_s
        self._decisions = decisions
        self._signals = signals
        self._kept_layout = pending_layout(features, entities)
        self._columns = Columns(entities)
        self._methods = MethodTable(methods)
        self._reasons = Reasons(features)
        self._drift = DriftMonitor(state.drift, state.reader(block_layout(watch)), watch)
        self._fraud_value = DailyFraudValue(state.meta, usd_per_eur)
        self.reload()

    def process(
        self,
        frames: Batch,
        scorer: Scorer,
        policy: Policy,
        clock: Callable[[], float],
        shadow: Mapping[str, Scorer] = NO_SHADOW,
        shared: SharedColumns | None = None,
    ) -> MerchantOutput:
        """Count, score and join a batch.

        Parameters
        ----------
        frames
            N of them, in the order they are to count.
        scorer
            The model to score with.
        policy
            What decides beside it.
        clock
            Gives `scored_at`, Unix seconds; nothing is computed from it.
        shadow
            Models whose scores are told beside, by name.
        shared
            What the frames have of shared entities; `None` where none has any.
        """
        shared = shared or self._columns.none(len(frames))
        events = contiguous(frames.rows["event"])
        self._decisions.set_apart(events)
        of_charges = np.where(events["kind"] == CHARGE, events["created"], 0.0)
        times = np.maximum.accumulate(np.maximum(of_charges, self.stream_time))
        before, now = self.stream_time, float(times[-1])
        self.stream_time = now
        charges = np.flatnonzero(events["kind"] == CHARGE)
        rows = _of(charges, events)
        places = charges.tolist()
        heads, headers = taken_off([frames.tails[place] for place in places])
        signals = read_signals(self._signals, heads)
        beside = Beside(
            _of(charges, shared.keys), np.hstack((_of(charges, shared.features), signals.columns))
        )
        answers, told = self._answers(frames, events, times, heads, beside, scorer, policy)
        imputed = np.zeros(len(events), np.bool_)
        imputed[charges[self._imputed(rows, answers)]] = True
        joined = join_labels(self._labels, events, times, frames.tails, imputed)
        finished = self._drift.add(
            watched_in(
                rows,
                answers,
                times[charges],
                _of_frauds(joined.examples),
                self._labels.kept,
                is_learned=scorer.version != PRIOR,
            )
        )
        self._count_value(rows, answers, times[charges], joined)
        matured = self._mature(before, now)
        return MerchantOutput(
            keys=[frames.cards[place] for place in places],
            scored=encode_scored(
                self._reasons,
                Verdicts(rows, answers, heads, policy.rules, told, policy.figures),
                are_duplicates(rows, answers),
                clock(),
                signals.categories,
                shadow_scores(answers["vector"], shadow),
            ),
            headers=headers,
            heads=heads,
            answers=answers,
            examples=_in_order(joined.examples, matured.negatives),
            matured=matured.charges,
            rejected=joined.rejected,
            finished=finished,
            disputed_blocks=joined.disputed_blocks,
            told_value=None if before // HOUR_S == now // HOUR_S else self.fraud_value,
            entity_events=entity_news(
                self._columns,
                rows,
                answers,
                times[charges],
                joined.judged,
                self._labels.kept,
                is_advisory=self._rules.is_advisory,
            ),
        )

    @property
    def fraud_value(self) -> FraudValue:
        """What there is to tell of charges and frauds by now."""
        return self._fraud_value.told(self.stream_time)

    def due_by(self, now: float) -> list[tuple[Times, float]]:
        """See `Horizons.due_by`."""
        return self._labels.horizons.due_by(now)

    def take_lookups(self) -> Lookups:
        """See `RecordCache.take_lookups`."""
        return self._merchants.take_lookups()

    def flush(self) -> None:
        """Put everything changed into the tables."""
        self._merchants.flush()
        self._drift.flush()
        self._fraud_value.flush()
        until = self._labels.horizons.until
        progress = [self.stream_time, self._decisions.budget.tokens, until]
        self._meta.put(PROGRESS, orjson.dumps(progress))

    def reload(self) -> None:
        """Forget everything changed since the last commit, and ask the tables again."""
        self._merchants.reload()
        self._drift.reload()
        self._fraud_value.reload()
        stored = self._meta.get(PROGRESS)
        progress = Progress(0.0, 0) if stored is None else Progress(*orjson.loads(stored))
        self.stream_time, self._decisions.budget.tokens, until = progress
        self._labels.horizons.reload(until)

    def _answers(
        self,
        frames: Batch,
        events: Rows,
        times: Times,
        heads: Sequence[bytes],
        beside: Beside,
        scorer: Scorer,
        policy: Policy,
    ) -> tuple[Rows, list[bytes]]:
        """Count events; return PENDING[N] of the charges among them, and what rules say of each.

        What is stopped in an hour counts from the next hour or day of stream time on, so a batch is
        taken hour by hour: nearly always all of it.
        """
        ends = np.append(np.flatnonzero(np.diff(times // HOUR_S)) + 1, len(times)).tolist()
        answers, told = list[Rows](), list[bytes]()
        for start, end in pairwise([0, *ends]):
            now = times[start:end]
            charges, rows, features, slots = self._count(
                frames.part(start, end), events[start:end], now
            )
            these = slice(len(told), len(told) + len(rows))
            scored = self._score(rows, np.hstack((*features, beside.columns[these])), scorer)
            scored["entity_keys"] = beside.entity_keys[these]
            told += self._answer(rows, scored, heads[these], policy, _of(charges, now), slots)
            answers.append(scored)
        return (answers[0] if len(answers) == 1 else np.concatenate(answers)), told

    def _count(
        self, frames: Batch, events: Rows, times: Times
    ) -> tuple[Slots, Rows, list[npt.NDArray[np.float32]], Slots]:
        """Count the events of an hour; return the charges' places, EVENT[N], features and slots."""
        slots = self._merchants.slots(frames)
        features, _ = self._merchants.count(
            slots,
            events,
            np.ascontiguousarray(events["charged_at"]),
            events["duplicate"] == 0,
            times,
            self._rules.horizon_s,
        )
        charges = np.flatnonzero(events["kind"] == CHARGE)
        rows = _of(charges, events)
        earlier = [_of(charges, frames.rows[features_of(entity)]) for entity in ENTITIES[:-1]]
        own = np.zeros((len(rows), len(CHARGE_FEATURES)), np.float32)
        charge_features(rows, own, self._methods.lacking(rows))
        return charges, rows, [own, *earlier, _of(charges, features)], _of(charges, slots)

    def _answer(
        self,
        charges: Rows,
        answers: Rows,
        heads: Sequence[bytes],
        policy: Policy,
        times: Times,
        slots: Slots,
    ) -> list[bytes]:
        """Decide charges and keep them; return what rules say of each.

        A duplicate gets what its original got.
        """
        is_first = charges["duplicate"] == 0
        records = self._merchants.rows
        told = self._decisions.decide(charges, answers, heads, times, records, slots, policy)
        if not self._rules.is_advisory:
            count_stopped(records, slots, np.where(is_first, answers["action"], ALLOW), times)
        if not is_first.all():
            self._answer_duplicates(
                charges, answers, np.flatnonzero(are_duplicates(charges, answers))
            )
        first = np.flatnonzero(is_first)
        own = self._methods.own_times(_of(first, charges))
        self._labels.keep(_of(first, charges), _of(first, answers), _of(first, times), own)
        return told

    def _score(self, charges: Rows, vectors: npt.NDArray[np.float32], scorer: Scorer) -> Rows:
        """Return PENDING[N] without actions."""
        answers = self._kept_layout.new(len(charges))
        answers["created"] = charges["created"]
        answers["card"] = charges["card"]
        answers["vector"] = vectors
        answers["score"] = scorer.predict(vectors)
        answers["risk"] = scorer.risks(answers["score"])
        answers["reasons"], answers["reason_count"] = self._reasons.pick(
            vectors, scorer.contributions(vectors)
        )
        answers["model"] = scorer.version.encode()
        return answers

    def _answer_duplicates(self, charges: Rows, answers: Rows, duplicates: Slots) -> None:
        """Answer duplicates as their originals were; anew if those went elsewhere."""
        window_s = self._dedup_window_s
        around = charges["created"][duplicates]
        originals = find_referred(
            self._labels.kept, charges, duplicates, around, window_s, window_s
        )
        for duplicate, original in originals.items():
            answers[duplicate] = answers[original] if isinstance(original, int) else original.charge

    def _imputed(self, charges: Rows, answers: Rows) -> Slots:
        """Return which charges the model blocks and takes for frauds: as likely as they are one."""
        by_model = (answers["decided_by"] == BY_MODEL) & (charges["duplicate"] == 0)
        blocked = np.flatnonzero((answers["action"] == BLOCK) & by_model)
        if self._rules.is_advisory or not len(blocked):
            return blocked[:0]
        return blocked[draws_of(charges[blocked]) < answers["score"][blocked]]

    def _count_value(self, charges: Rows, answers: Rows, times: Times, joined: Joined) -> None:
        """Count what was charged and what was disputed as fraud, at stream times."""
        first = np.flatnonzero(charges["duplicate"] == 0)
        self._fraud_value.count(CHARGED, _of(first, times), _of(first, answers["vector"]))
        if joined.disputed:
            vectors = self._labels.kept.charges(joined.disputed)["vector"]
            self._fraud_value.count(DISPUTED, np.array(joined.disputed_at), vectors)
        self._fraud_value.forget(self.stream_time)

    def _mature(self, before: float, now: float) -> Matured:
        """Return the charges whose silence now says something; forget the oldest."""
        matured = self._labels.mature(now)
        self._labels.kept.expire(before, now)
        return matured


def are_duplicates(charges: Rows, answers: Rows) -> npt.NDArray[np.bool_]:
    """Tell which of EVENT[N] with PENDING[N] are answered as charges before them."""
    are: npt.NDArray[np.bool_] = (charges["duplicate"] != 0) & (
        answers["decided_by"] != BY_TEST_CARD
    )
    return are


def _of(places: Slots, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return some of the rows; nearly always all of them, and then nothing is copied."""
    if len(places) == len(rows):
        return rows
    return rows_at(rows, places) if rows.dtype.names else rows[places]


def _of_frauds(examples: Rows) -> Rows:
    """Return the examples of charges that were found to be frauds."""
    if not len(examples):
        return examples
    return examples[np.isin(examples["source"], (BY_DISPUTE, BY_VERDICT))]


def _in_order(joined: Rows, matured: Rows) -> Rows:
    """Return examples in the order of their labels; each kind has it by itself."""
    if not len(joined) or not len(matured):
        return joined if len(joined) else matured
    examples = np.concatenate((joined, matured))
    return examples[np.argsort(examples["labelled_at"], kind="stable")]
