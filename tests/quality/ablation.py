"""The default model without each group of features, as users would name the groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.models.kinds import DEFAULT
from streams.features.entities import FEATURES
from tests.quality.contestants import Registered
from tests.quality.findings import Findings, Table
from tests.quality.measures import quality
from tests.quality.prequential import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.features.spec import Feature
    from tests.quality.trial import Trial

_PATTERNS = {
    "categories": r".*_category",
    "card's habits": r"card_(hour|weekday|category|country)_share|card_category_first",
    "amount": r"amount.*",
    "time of day and week": r"hour_.*|weekend",
    "checks: CVC, postal code, 3-D Secure": r"cvc_check_.*|postal_check_.*|three_d_secure_.*",
    "countries that differ": r".*_is_not_.*",
    "channel, funding, and what is missing": r"(funding|channel|payment_method|mcc)_.*|.*_missing",
    "amount against the card's own history": r"card_amount_(log_ratio|over_.*|zscore)",
    "recent deviation of the card's amounts": r"card_amount_(recent|largest)_.*|card_deviation_.*",
    "card windows": r"card_(count|sum|pace)_.*|card_since_previous",
    "card's failed checks": r"card_failed_checks_.*",
    "age of the card": r"card_charges_before|card_age",
    "card's distinct counts": r"card_(merchants|countries|devices)_.*",
    "card's first times": r"card_(merchant|country|device)_first|card_since_merchant",
    "card's disputes": r"card_(fraud|other)_disputes|card_since_fraud_dispute",
    "card's declined and blocked charges": r"card_(declined|blocked)_.*",
    "merchant windows": r"merchant_(count|sum|pace)_.*|merchant_small_share_.*",
    "merchant's distinct cards": r"merchant_(small_)?cards_.*",
    "age of the merchant": r"merchant_charges_before|merchant_age",
    "amount against the merchant's": r"merchant_amount_.*",
    "merchant's dispute shares": r"merchant_(other_)?dispute_share_.*|merchant_since_fraud_dispute",
    "merchant's latest labels": r"merchant_fraud_(share|recency|run).*",
    "merchant's declined and blocked charges": r"merchant_(declined|blocked)_.*",
    "merchant's stopped charges": r"merchant_stopped_share_.*",
    "device": r"device_.*",
    "IP address": r"ip_.*",
    "e-mail": r"email_.*",
}
_NOTHING = "(nothing left out)"
_PERIOD, _HELD_OUT = "all", "held out"


class Effect(NamedTuple):
    """Average precision and AUC of one run, and the former on the held-out part."""

    average_precision: float
    auc_roc: float
    held_out: float


def groups() -> Mapping[str, list[Feature]]:
    """Return the features of each group; each feature is in the first whose pattern it fits.

    >>> [feature.name for feature in groups()["age of the card"]]
    ['card_charges_before', 'card_age']
    """
    members: dict[str, list[Feature]] = {name: [] for name in _PATTERNS}
    for feature in FEATURES:
        fitting = [name for name, text in _PATTERNS.items() if re.fullmatch(text, feature.name)]
        assert fitting, f"{feature.name} is in no group"
        members[fitting[0]].append(feature)
    return members


def ablation(trials: Iterable[Trial], say: Callable[[str], object]) -> Findings:
    """Run the default model without each group over some trials."""
    effects: dict[str, dict[str, Effect]] = {}
    facts = []
    for trial in trials:
        facts.append(f"{trial.facts}.")
        effects[trial.name] = {
            name: _effect(trial, name, left_out, say)
            for name, left_out in {_NOTHING: [], **groups()}.items()
        }
    about = (
        f"`{DEFAULT}` without each group of features, and what that changes; means, where there "
        "is more than one run."
    )
    return Findings(
        "ablation",
        (about, *facts),
        [_table(effects)],
        {
            trial: {name: effect._asdict() for name, effect in by_group.items()}
            for trial, by_group in effects.items()
        },
    )


def _effect(
    trial: Trial, name: str, left_out: list[Feature], say: Callable[[str], object]
) -> Effect:
    say(f"{trial.name}: without {name}")
    kept = [feature for feature in FEATURES if feature not in left_out]
    scores = run(Registered(DEFAULT, kept), trial.recording, trial.start)
    found = {
        period.name: quality(scores.charges, trial.recording, period) for period in trial.periods
    }
    overall = found[_PERIOD]
    return Effect(overall.average_precision, overall.auc_roc, found[_HELD_OUT].average_precision)


def _table(effects: Mapping[str, Mapping[str, Effect]]) -> Table:
    runs = list(effects.values())
    rows = []
    for name, members in {_NOTHING: [], **groups()}.items():
        measured = np.array([by_group[name] for by_group in runs])
        change = measured - np.array([by_group[_NOTHING] for by_group in runs])
        (precision, auc, _), (d_precision, d_auc, d_held_out) = measured.mean(0), change.mean(0)
        each = [f"{one[0]:+.3f}" for one in change] if len(runs) > 1 else []
        rows.append([
            name, str(len(members)), f"{precision:.3f}", f"{d_precision:+.3f}", *each,
            f"{d_held_out:+.3f}", f"{auc:.3f}", f"{d_auc:+.3f}",
        ])  # fmt: skip
    each = list(effects) if len(runs) > 1 else []
    columns = (
        "without", "features", "AP", "change of AP", *each, "change of AP, held out", "AUC",
        "change of AUC",
    )  # fmt: skip
    return Table("Ablation", columns, rows)
