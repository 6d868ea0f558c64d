"""Rules on trial over what the topics of a running installation still hold."""

from __future__ import annotations

from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from agents.backtest.rules_trial import Standing, try_rules
from agents.evaluation.rejections import Rejections
from agents.evaluation.trial.trial import OnTrial
from agents.policy.lists import NamedLists
from agents.policy.policy import Policy
from agents.rules.rule_set import parse
from agents.terminal.mapped_files import Sources, plain_sources
from agents.terminal.policy_topics import PolicyTopics
from agents.terminal.retained_history import write_history

if TYPE_CHECKING:
    from agents.backtest.runs import Show
    from agents.settings.schema import Settings


def try_on_topics(
    settings: Settings, merchant: str, text: str, start: float, show: Show
) -> dict[str, Any]:
    """Try rules of a merchant in place of those that are in force there.

    Parameters
    ----------
    settings
        As for a worker.
    merchant, text
        Whose rules, and what they are.
    start
        From when on charges count, Unix seconds; all that the topics hold are learned from.
    show
        Is told how far it is.

    Returns
    -------
    As `agents.backtest.rules_trial.try_rules`, and ``in_force``: the version in whose place.

    Raises
    ------
    RuleErrors
        When anything in the text is wrong.
    FileError
        When there are no charges.
    OperationalError
        When Kafka cannot be reached.
    """
    on_trial = OnTrial(merchant, parse(text))
    topics = PolicyTopics(settings)
    with TemporaryDirectory(prefix="chargewatch-") as directory:
        sources = retained_sources(topics, Path(directory), show)
        standing, period = standing_on(topics), (start, inf)
        told = try_rules(settings, sources, standing, on_trial, period, Rejections(None), show)
    return told | {"in_force": standing.version(merchant)}


def retained_sources(topics: PolicyTopics, directory: Path, show: Show) -> Sources:
    """Return what the topics hold, copied to a directory; raises as `write_history`."""
    return plain_sources(write_history(topics.clients, topics.names, directory, show))


def standing_on(topics: PolicyTopics) -> Standing:
    """Return what is in force in an installation."""
    lists = NamedLists()
    lists.take(topics.lists().entries.values())
    return Standing(Policy(topics.merchants().table(), lists=lists), topics.rules().sets())
