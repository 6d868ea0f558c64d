"""Decisions about models: what is told of them."""

import pytest
from click.testing import CliRunner

from agents.commands import chargewatch, models
from agents.learning.model_registry import ModelBook
from agents.models.kinds import new_learner
from schemas.control import Champion
from schemas.snapshot import encode_snapshot
from streams.features.entities import FEATURES


class Hidden:
    """The topic of models while another's transaction is open: what is written is not yet read."""

    def __init__(self, _settings: object) -> None:
        self._book = ModelBook()
        for name in ("additive", "linear"):
            snapshot = new_learner(FEATURES, name).snapshot(1)
            self._book.take([(name.encode(), encode_snapshot(snapshot))])

    def book(self) -> ModelBook:
        return self._book

    def write(self, _key: bytes, _record: Champion) -> None:
        """Have it written, behind the transaction."""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["promote", "linear"], "linear scores, now at linear-0000000000"),
        (["freeze"], "additive scores, frozen at additive-0000000000"),
    ],
)
def test_a_decision_is_told_though_it_cannot_be_read_yet(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setattr(models, "ModelTopic", Hidden)
    done = CliRunner().invoke(chargewatch, ["models", *arguments])
    assert done.output == f"{told}\n"
