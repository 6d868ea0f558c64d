"""Rules on trial over the events of a history, beside what is in force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from msgspec.structs import replace

from agents.backtest.replay import Replay
from agents.backtest.trial_run import run_trial
from agents.evaluation.trial.summary import changes
from agents.evaluation.trial.trial import Trial
from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.process import collecting_rarely, peak_rss_mb
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.backtest.runs import Show
    from agents.evaluation.rejections import Rejections
    from agents.evaluation.trial.trial import OnTrial
    from agents.policy.policy import Policy
    from agents.rules.rule_set import RuleSet
    from agents.settings.schema import Settings
    from agents.terminal.mapped_files import Sources


class Standing(NamedTuple):
    """What decides beside the model now: rules by merchant, and a policy of all else."""

    policy: Policy
    sets: Mapping[str, MerchantRuleSet]

    def version(self, merchant: str) -> int:
        """Return the version of a merchant's rules, 0 where there are none."""
        return self.sets[merchant].version if merchant in self.sets else 0

    def with_rules(self, merchant: str, rules: RuleSet) -> Self:
        """Return it with other rules of a merchant."""
        made = MerchantRuleSet(merchant, self.version(merchant) + 1, rules)
        return self._replace(sets={**self.sets, merchant: made})

    @property
    def whole(self) -> Policy:
        """The policy with the rules."""
        return self.policy.under(ActiveRules(self.sets))


def try_rules(
    settings: Settings,
    sources: Sources,
    standing: Standing,
    on_trial: OnTrial,
    period: tuple[float, float],
    rejections: Rejections,
    show: Show,
) -> dict[str, Any]:
    """Try rules, and return what they would change.

    Parameters
    ----------
    settings
        As for a worker; nobody acts, whatever they say.
    sources
        The events.
    standing
        What decides now.
    on_trial
        The rules, in place of those of their merchant.
    period
        From when on and until when charges count, Unix seconds; all are learned from.
    rejections
        Takes what cannot be used.
    show
        Is told how far it is.

    Returns
    -------
    As `agents.evaluation.trial.summary.changes`, and the facts of the run: ``files``,
    ``label_horizon_days``, ``charges_scored``, ``duplicates``, ``rejected``, ``disputes_waiting``,
    ``seconds``, ``charges_per_second``, ``peak_rss_mb`` and ``objections`` (to files most of which
    cannot be used).

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    settings = replace(settings, actions="advisory")
    trial = Trial(
        standing.whole,
        standing.with_rules(on_trial.merchant, on_trial.rules).whole,
        on_trial,
        has_test_cards=settings.test_cards,
        start=period[0],
        end=period[1],
    )
    began = time.monotonic()
    replay = Replay(
        sources.charges,
        sources.disputes,
        time.time() + settings.future_allowance_minutes * 60.0,
        settings.input_rules,
        sources.outcomes,
    )
    with collecting_rarely():
        run, last = run_trial(settings, replay, trial, rejections, show)
    horizon_s = settings.label_horizon_days * DAY_S
    told = changes(on_trial, trial.tried(horizon_s), standing.policy.terms)
    seconds = time.monotonic() - began
    objections = (rejections.objection(file, n) for file, n in replay.inputs_by_file.items())
    return told | {
        "files": sources.files,
        "label_horizon_days": settings.label_horizon_days,
        "charges_scored": run.charges,
        "duplicates": run.duplicates,
        "rejected": rejections.counts,
        "disputes_waiting": last.waiting,
        "seconds": seconds,
        "charges_per_second": run.charges / seconds,
        "peak_rss_mb": peak_rss_mb() + last.peak_rss_mb,
        "objections": [objection for objection in objections if objection],
    }
