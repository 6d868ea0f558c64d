"""All figures of a trial under the names users rely on."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.trial.changes import effects, transitions
from agents.evaluation.trial.counts import counts_of
from agents.evaluation.trial.each_rule import figures_of_rules, never_decide, overlaps
from agents.evaluation.trial.labels import SILENCED, YOUNG
from agents.evaluation.trial.sweeps import sweeps
from agents.evaluation.trial.trial import SWEEPS_MAX

if TYPE_CHECKING:
    from agents.evaluation.trial.trial import OnTrial
    from agents.evaluation.trial.tried import Tried
    from agents.policy.terms import TermsTable


def changes(on_trial: OnTrial, tried: Tried, terms: TermsTable) -> dict[str, Any]:
    """Return what rules on trial change, as plain JSON values; what cannot be said is None.

    Parameters
    ----------
    on_trial
        The rules.
    tried
        The charges.
    terms
        What each outcome costs.

    Returns
    -------
    ``merchant``, ``first`` and ``last`` (times of charges), ``newest`` (of all events of the
    history), ``all`` and ``changed`` (counts), ``young`` and ``silenced`` (of all, why charges are
    unknown), ``changed_young``, ``elsewhere``, ``transitions``, ``effects``, ``rules``,
    ``never_decide``, ``overlaps``, ``sweeps`` and ``sweeps_left_out``.
    """
    created, rules = tried.charges["created"], on_trial.rules.rules
    changed = tried.charges["before"] != tried.charges["after"]
    is_young = tried.labels == YOUNG
    return {
        "merchant": on_trial.merchant,
        "first": float(created.min()) if len(tried) else None,
        "last": float(created.max()) if len(tried) else None,
        "newest": tried.newest if isfinite(tried.newest) else None,
        "all": counts_of(tried, np.ones(len(tried), np.bool_)),
        "changed": counts_of(tried, changed),
        "young": int(np.count_nonzero(is_young)),
        "silenced": int(np.count_nonzero(tried.labels == SILENCED)),
        "changed_young": int(np.count_nonzero(changed & is_young)),
        "elsewhere": tried.elsewhere,
        "transitions": transitions(tried),
        "effects": effects(tried, terms),
        "rules": figures_of_rules(rules, tried),
        "never_decide": never_decide(rules, tried),
        "overlaps": overlaps(rules, tried),
        "sweeps": sweeps(on_trial, tried),
        "sweeps_left_out": max(len(on_trial.thresholds) - SWEEPS_MAX, 0),
    }
