"""Who an edit is by."""

import getpass
import os

import pytest

from agents.terminal.policy_topics import signature


def test_the_user_of_the_machine_where_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert signature(None, "why").by == "ann"
    assert signature("bob", "why")[::2] == ("bob", "why")


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert signature(None, "").by == f"uid {os.getuid()}"


def test_no_card_number_stays_in_the_log_of_changes() -> None:
    assert "4242" not in str(signature("4242424242424242", "card 4242 4242 4242 4242 was stolen"))
