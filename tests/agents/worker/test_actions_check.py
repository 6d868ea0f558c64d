"""The warning that nobody carries the actions out."""

import pytest

from agents.worker.actions_check import DISPUTED_BLOCKS_MAX, ActionsCheck


def test_it_is_given_once_and_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    check = ActionsCheck()
    for _ in range(DISPUTED_BLOCKS_MAX - 1):
        check.add(1)
    check.add(0)
    assert not caplog.records
    check.add(5)
    check.add(100)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "24 charges that were blocked have been disputed" in record.getMessage()
    assert "`actions` to advisory" in record.getMessage()
