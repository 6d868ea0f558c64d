"""The candidate models side by side over the same charges and labels."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from river.ensemble import SRPClassifier
from river.forest import AMFClassifier
from river.tree import HoeffdingTreeClassifier

from agents.backtest.backtest import MODEL_INTERVAL_S
from agents.models import blend, stack
from agents.models.boosted import model as boosted
from agents.models.kinds import DEFAULT, KINDS
from tests.quality.contestants import LightGBM, Prior, Registered, River
from tests.quality.findings import Findings, Table
from tests.quality.measures import precision, quality
from tests.quality.prequential import calibrated, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from river.base import Classifier

    from tests.quality.measures import Period
    from tests.quality.prequential import Candidate, Scores
    from tests.quality.trial import Trial

FOREST_CONTROLS = 10
"""Controls a fraud that forests learn from; with all of them they would take hours."""

WEEK_S = 7 * 86_400.0

_COLUMNS = (
    "", "AP", "AUC", "card precision@100", "Brier", "ECE, pp", "top decile, predicted/observed",
    "AP before calibration", "to learn an example, µs", "to score a charge, µs",
)  # fmt: skip
_ABOUT = (
    "Each scores a charge with what it has learned from labels that came before it, in stretches "
    "of ten minutes; LightGBM is trained anew each week on all labels known by then, the trees of "
    f"`{boosted.KIND}` and `{blend.KIND}` each day.",
    f"Forests, that in `{stack.KIND}` as well, learn from {FOREST_CONTROLS} of the 40 controls of "
    "a fraud. What has no calibration of its own is calibrated by the project's, as labels come.",
    "LightGBM learns either from matured charges, or from frauds and controls as the others do.",
)


class Result(NamedTuple):
    """Calibrated scores, and those before calibration if that is apart."""

    scores: Scores
    before: Scores | None


def projects_own() -> dict[str, Candidate]:
    """Return what the project can score with; all give calibrated scores."""
    kinds: dict[str, Candidate] = {kind: Registered(kind) for kind in KINDS}
    return {"prior": Prior(), **kinds}


def others(seed: int) -> dict[str, tuple[Candidate, float]]:
    """Return river's other ensembles and LightGBM, and how often each changes, in seconds."""
    tree = HoeffdingTreeClassifier(grace_period=50, delta=0.01)
    forests: dict[str, Classifier] = {
        "Mondrian forest (AMF)": AMFClassifier(n_estimators=5, seed=seed),
        "streaming random patches": SRPClassifier(tree, n_models=3, subspace_size=0.3, seed=seed),
    }
    return {
        **{
            name: (River(forest, FOREST_CONTROLS), MODEL_INTERVAL_S)
            for name, forest in forests.items()
        },
        "LightGBM, matured charges": (LightGBM(seed, matured=True), WEEK_S),
        "LightGBM, frauds and controls": (LightGBM(seed, matured=False), WEEK_S),
    }


def candidates(trial: Trial, seed: int, say: Callable[[str], object]) -> Findings:
    """Let all candidates run over a trial."""
    recording = trial.recording
    results: dict[str, Result] = {}
    for name, candidate in projects_own().items():
        say(f"{trial.name}: {name}")
        results[name] = Result(run(candidate, recording, trial.start), None)
    for name, (candidate, interval_s) in others(seed).items():
        say(f"{trial.name}: {name}")
        before = run(candidate, recording, trial.start, interval_s)
        results[name] = Result(calibrated(before, recording), before)
    return Findings(
        "candidates",
        (*_ABOUT, f"{trial.facts}; seed of the candidates {seed}."),
        [_table(trial, period, results) for period in trial.periods],
        {
            period.name: {
                name: {
                    **asdict(quality(result.scores.charges, recording, period)),
                    "learn_us": result.scores.learn_us,
                    "score_us": result.scores.score_us,
                }
                for name, result in results.items()
            }
            for period in trial.periods
        },
    )


def _table(trial: Trial, period: Period, results: dict[str, Result]) -> Table:
    return Table(
        f"{trial.name}: {period.name}",
        _COLUMNS,
        [_line(trial, period, name, result) for name, result in results.items()],
    )


def _line(trial: Trial, period: Period, name: str, result: Result) -> list[str]:
    scores, before = result
    recording = trial.recording
    measured = quality(scores.charges, recording, period)
    rows = period.rows(recording)
    return [
        f"{name} (default)" if name == DEFAULT else name,
        f"{measured.average_precision:.3f}",
        f"{measured.auc_roc:.3f}",
        f"{measured.card_precision_at_100:.3f}",
        f"{measured.brier:.5f}",
        f"{100.0 * measured.calibration_error:.3f}",
        f"{measured.top_decile:.2f}",
        "" if before is None else f"{precision(before.charges, recording, rows):.3f}",
        f"{scores.learn_us:,.0f}",
        f"{scores.score_us:,.1f}",
    ]
