"""What stands for a row of a file that is no event: it says why, and nothing of what is in it."""

from typing import Final, get_args

import orjson

from schemas.rejected import InvalidEvent, RejectReason

_ROW: Final = "unusable_row"
_REASON: Final = "reason"
_CHARACTERS_MAX: Final = 500
_REASONS: Final = frozenset(get_args(RejectReason))


def unusable_row(error: InvalidEvent) -> bytes:
    """Return the payload that is rejected with this error wherever it is read.

    Examples
    --------
    >>> unusable_row(InvalidEvent("json", "line 7: expected 3 cells, got 2"))
    b'{"unusable_row":"line 7: expected 3 cells, got 2","reason":"json"}'
    """
    return orjson.dumps({_ROW: str(error)[:_CHARACTERS_MAX], _REASON: error.reason})


def unusable_in(fields: object) -> InvalidEvent | None:
    """Return why the row could not be used, `None` for any other payload.

    Examples
    --------
    >>> str(unusable_in({"unusable_row": "line 7: expected 3 cells, got 2", "reason": "json"}))
    'line 7: expected 3 cells, got 2'
    """
    if not isinstance(fields, dict) or fields.keys() != {_ROW, _REASON}:
        return None
    why, reason = fields[_ROW], fields[_REASON]
    if not isinstance(why, str) or reason not in _REASONS:
        return None
    return InvalidEvent(reason, why[:_CHARACTERS_MAX])
