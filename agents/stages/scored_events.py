"""Scored events of a batch: what the merchant stage adds to what the card stage began."""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from agents.models.protocols import Scorer
from agents.policy.active_rules import ActiveRule, ActiveRules
from agents.rules.event_columns import EventColumns
from agents.rules.figures import NO_FIGURES, Figures
from agents.stages.reasons import REASONS_MAX, Reasons
from schemas.scored import (
    ACTIONS,
    ALLOW,
    BY_MODEL_JSON,
    BY_RULE,
    BY_TEST_CARD,
    DUPLICATE,
    decided_json,
    end_scored,
    holdout_json,
    shadow_json,
)
from streams.events.rows import Rows

_ACTIONS = [orjson.dumps(action) for action in ACTIONS]


class Verdicts(NamedTuple):
    """Who decided charges, and what the rules say of them.

    Attributes
    ----------
    charges
        EVENT[N].
    answers
        PENDING[N].
    heads
        N, what `schemas.scored.begin_scored` returned.
    rules
        In force.
    told
        N, what they say, as `Matches.told`.
    figures
        Of the installation, as they saw them.
    """

    charges: Rows
    answers: Rows
    heads: Sequence[bytes]
    rules: ActiveRules
    told: Sequence[bytes]
    figures: Figures = NO_FIGURES

    def members(self, duplicates: npt.NDArray[np.bool_]) -> list[bytes]:
        """Return the members of scored charges that tell of it, N parts of JSON.

        A duplicate tells who decided its original, and not which rules match.
        """
        by = self.answers["decided_by"]
        parts = [BY_MODEL_JSON] * len(by)
        for place in np.flatnonzero(self.answers["withheld"] != ALLOW).tolist():
            answer = self.answers[place]
            parts[place] = holdout_json(_ACTIONS[answer["withheld"]], float(answer["propensity"]))
        for place in np.flatnonzero(by == BY_TEST_CARD).tolist():
            parts[place] = decided_json("test_card")
        for place in np.flatnonzero(by == BY_RULE).tolist():
            parts[place] = decided_json(f"rule:{self._label(place)}")
        if not self.rules:
            return parts
        return [
            part if is_duplicate else part + said
            for part, said, is_duplicate in zip(parts, self.told, duplicates, strict=True)
        ]

    def reasons(self) -> dict[int, bytes]:
        """Return why a rule decided a charge, by its place, in JSON."""
        places = np.flatnonzero(self.answers["decided_by"] == BY_RULE)
        if not len(places):
            return {}
        answers = self.answers
        columns = EventColumns(
            self.charges,
            answers["vector"],
            answers["score"],
            answers["risk"],
            self.heads,
            self.figures,
        )
        found = ((place, self._rule(place)) for place in places.tolist())
        return {place: rule.reason(columns, place) for place, rule in found if rule}

    def _rule(self, place: int) -> ActiveRule | None:
        """Return the rule that decided a charge; a duplicate's may be gone by now."""
        return self.rules.by_hash.get(int(self.answers["rules"][place, 0]))

    def _label(self, place: int) -> str:
        rule = self._rule(place)
        return rule.rule.label if rule else f"gone-{self.answers['rules'][place, 0]:08x}"


def encode_scored(
    picker: Reasons,
    verdicts: Verdicts,
    duplicates: npt.NDArray[np.bool_],
    scored_at: float,
    categories: Mapping[int, str],
    shadows: Sequence[bytes] | None = None,
) -> list[bytes]:
    """Encode scored events.

    Parameters
    ----------
    picker
        Puts reasons into words.
    verdicts
        On N charges.
    duplicates
        bool[N], whether the charge is a duplicate.
    scored_at
        Unix seconds, wall clock.
    categories
        What the codes of the charges' own categories stand for.
    shadows
        N scores of the challengers, where there are any; a duplicate does without.
    """
    answers, rest = verdicts.answers, verdicts.members(duplicates)
    for place in np.flatnonzero(duplicates).tolist():
        rest[place] += DUPLICATE
    if shadows is not None:
        rest = [
            decided if is_duplicate else decided + shadow
            for decided, shadow, is_duplicate in zip(rest, shadows, duplicates, strict=True)
        ]
    return list(
        map(
            end_scored,
            verdicts.heads,
            answers["score"].tolist(),
            answers["risk"].tolist(),
            [_ACTIONS[code] for code in answers["action"].tolist()],
            _reasons(answers, picker, categories, verdicts.reasons()),
            answers["model"].tolist(),
            repeat(scored_at),
            rest,
        )
    )


def _reasons(
    answers: Rows,
    picker: Reasons,
    categories: Mapping[int, str],
    of_rules: Mapping[int, bytes],
) -> list[bytes]:
    """Encode the reasons of charges, that of the rule which decided one before all others."""
    counts = answers["reason_count"]
    if of_rules:
        counts = counts.copy()
        places = list(of_rules)
        counts[places] = np.minimum(counts[places], REASONS_MAX - 1)
    reasons = picker.encode(answers["vector"], answers["reasons"], counts, categories)
    for place, reason in of_rules.items():
        others = b"," if counts[place] else b""
        reasons[place] = b"[%b%b%b" % (reason, others, reasons[place][1:])
    return reasons


def shadow_scores(
    vectors: npt.NDArray[np.float32], shadow: Mapping[str, Scorer]
) -> list[bytes] | None:
    """Encode the scores of the challengers, shape (N,); `None` where there are none."""
    if not shadow:
        return None
    vectors = np.ascontiguousarray(vectors)  # those of kept charges lie apart
    form = b",".join(b'"%b":%%.9g' % name.encode() for name in shadow)
    scores = [model.predict(vectors).tolist() for model in shadow.values()]
    return [shadow_json(form % row) for row in zip(*scores, strict=True)]
