"""The second half of a scored event: what the merchant stage adds to what the card stage began."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from agents.decisions import ACTIONS
from agents.reasons import Reasons
from streams.events import Rows

_DUPLICATE = b',"duplicate":true'


def encode_scored(
    heads: Sequence[bytes],
    answers: Rows,
    reasons: Reasons,
    duplicates: npt.NDArray[np.bool_],
    scored_at: float,
) -> list[bytes]:
    """Encode scored events.

    Parameters
    ----------
    heads
        N first halves, JSON objects that are still open.
    answers
        PENDING[N].
    reasons
        Puts reasons into words.
    duplicates
        bool[N], whether the charge is a producer's retry.
    scored_at
        Unix seconds, wall clock.
    """
    whys = reasons.encode(answers["vector"], answers["reasons"], answers["reason_count"])
    actions = [_ACTIONS[code] for code in answers["action"].tolist()]
    end = b',"scored_at":%.6f' % scored_at
    return [
        b'%b,"score":%.9g,"action":%b,"reasons":%b,"model":"%b"%b%b}'
        % (head, score, action, why, model, end, _DUPLICATE if duplicate else b"")
        for head, score, action, why, model, duplicate in zip(
            heads,
            answers["score"].tolist(),
            actions,
            whys,
            answers["model"].tolist(),
            duplicates.tolist(),
            strict=True,
        )
    ]


_ACTIONS = [orjson.dumps(action) for action in ACTIONS]
