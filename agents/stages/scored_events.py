"""The second half of a scored event: what the merchant stage adds to what the card stage began."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import orjson

from agents.models.protocols import Scorer
from agents.stages.decisions import ACTIONS
from agents.stages.reasons import Reasons
from streams.events.rows import Rows

_DUPLICATE = b',"duplicate":true'


def encode_scored(
    heads: Sequence[bytes],
    answers: Rows,
    picker: Reasons,
    duplicates: npt.NDArray[np.bool_],
    scored_at: float,
    shadows: Sequence[bytes] | None = None,
) -> list[bytes]:
    """Encode scored events.

    Parameters
    ----------
    heads
        N first halves, JSON objects that are still open.
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
    ends = [b""] * len(heads) if shadows is None else shadows
    reasons = picker.encode(answers["vector"], answers["reasons"], answers["reason_count"])
    actions = [_ACTIONS[code] for code in answers["action"].tolist()]
    at = b',"scored_at":%.6f' % scored_at
    return [
        b'%b,"score":%.9g,"risk":%d,"action":%b,"reasons":%b,"model":"%b"%b%b}'
        % (head, score, risk, action, texts, model, at, _DUPLICATE if duplicate else end)
        for head, score, risk, action, texts, model, duplicate, end in zip(
            heads,
            answers["score"].tolist(),
            answers["risk"].tolist(),
            actions,
            reasons,
            answers["model"].tolist(),
            duplicates.tolist(),
            ends,
            strict=True,
        )
    ]


def shadow_scores(
    vectors: npt.NDArray[np.float32], shadow: Mapping[str, Scorer]
) -> list[bytes] | None:
    """Encode the scores of the challengers, shape (N,); `None` where there are none."""
    if not shadow:
        return None
    form = b",".join(b'"%b":%%.9g' % name.encode() for name in shadow)
    scores = [model.predict(vectors).tolist() for model in shadow.values()]
    return [b',"shadow":{%b}' % (form % row) for row in zip(*scores, strict=True)]


_ACTIONS = [orjson.dumps(action) for action in ACTIONS]
