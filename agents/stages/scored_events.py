"""Scored events of a batch: what the merchant stage adds to what the card stage began."""

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt
import orjson

from agents.models.protocols import Scorer
from agents.stages.reasons import Reasons
from schemas.scored import (
    ACTIONS,
    ALLOW,
    BY_MODEL,
    DUPLICATE,
    end_scored,
    holdout_json,
    shadow_json,
)
from streams.events.rows import Rows

_ACTIONS = [orjson.dumps(action) for action in ACTIONS]


def encode_scored(
    begun: Sequence[bytes],
    answers: Rows,
    picker: Reasons,
    duplicates: npt.NDArray[np.bool_],
    scored_at: float,
    shadows: Sequence[bytes] | None = None,
) -> list[bytes]:
    """Encode scored events.

    Parameters
    ----------
    begun
        What `schemas.scored.begin_scored` returned for N charges.
    answers
        PENDING[N].
    picker
        Puts reasons into words.
    duplicates
        bool[N], whether the charge is a duplicate.
    scored_at
        Unix seconds, wall clock.
    shadows
        N scores of the challengers, where there are any; a duplicate does without.
    """
    rest = [BY_MODEL] * len(begun)
    drawn = np.flatnonzero(answers["withheld"] != ALLOW)
    for place, withheld, propensity in zip(
        drawn.tolist(),
        answers["withheld"][drawn].tolist(),
        answers["propensity"][drawn].tolist(),
        strict=True,
    ):
        rest[place] = holdout_json(_ACTIONS[withheld], propensity)
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
            begun,
            answers["score"].tolist(),
            answers["risk"].tolist(),
            [_ACTIONS[code] for code in answers["action"].tolist()],
            picker.encode(answers["vector"], answers["reasons"], answers["reason_count"]),
            answers["model"].tolist(),
            repeat(scored_at),
            rest,
        )
    )


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
