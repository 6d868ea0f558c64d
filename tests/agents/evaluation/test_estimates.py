"""Estimates against the truth, in a made-up world that has it: no bias, and honest intervals."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.evaluation.estimates import (
    MEASURES,
    METHODS,
    estimates,
    from_band,
    interval_of,
    measures_of,
    of_action,
    truth,
)
from agents.evaluation.matured_sums import (
    BANDS,
    THRESHOLDS,
    MaturedCharges,
    replicas_of,
    sums_of,
)
from schemas.scored import ACTIONS, ALLOW, BLOCK
from streams.durations import DAY_S
from streams.wire.matured import FRAUD, GENUINE, MATURED_LAYOUT, UNSEEN
from tests.agents.evaluation.made_up_actions import World, make, see

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streams.events.rows import Rows

    Spoil = Callable[[Rows], Rows]
    Values = dict[tuple[str, str], NDArray[np.float64]]

SEEDS = 200
REPLICAS = 150
ESTIMATED = METHODS[:3]
OF_COVERED = ("ipw", "self_normalised")
COVERED = World(amount_max=np.inf)
IN_PART = World()
CROWDED = World(cards=120, share=0.5, amount_max=np.inf, spread=3.0, charges_mean=12.0)
"""In which the charges of a card are alike, and many are seen."""

FEW = World(cards=100, amount_max=np.inf)
"""In which seven of the blocks are seen."""

BLOCKS = of_action(BLOCK)
ABOVE_A_TENTH = from_band(1 + THRESHOLDS.index(0.1))
CHOSEN = {"blocks": BLOCKS, "from 0.1": ABOVE_A_TENTH}

SE_MAX = 4.0
"""Standard errors that a mean over the seeds may be off."""


def as_it_is(rows: Rows) -> Rows:
    return rows


def without_propensities(rows: Rows) -> Rows:
    rows["propensity"] = 1.0
    return rows


def with_the_unseen_as_genuine(rows: Rows) -> Rows:
    rows["seen"][rows["seen"] == UNSEEN] = GENUINE
    return rows


def with_each_charge_on_a_card_of_its_own(rows: Rows) -> Rows:
    rows["card"] = np.arange(len(rows))
    return rows


@cache
def played(world: World, spoil: Spoil) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the sums of each seed: as seen, and in truth, of all charges and of those covered."""
    seen, known, covered = [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        made = make(world, rng)
        seen.append(sums_of(spoil(see(made, rng))))
        labelled = made.charges.copy()
        labelled["seen"] = np.where(made.is_fraud, FRAUD, GENUINE)
        labelled["propensity"] = 1.0
        known.append(sums_of(labelled))
        covered.append(sums_of(labelled[made.charges["propensity"] > 0.0]))
    return np.array(seen), np.array(known), np.array(covered)


def errors(world: World, chosen: NDArray[np.bool_], spoil: Spoil = as_it_is) -> Values:
    """Return estimate less truth by method and measure, f8[SEEDS]."""
    seen, known, covered = played(world, spoil)
    found = measures_of(seen, chosen)
    of_all, of_covered = (measures_of(sums, chosen)["ipw"] for sums in (known, covered))
    return {
        (method, measure): found[method][measure]
        - (of_covered if method in OF_COVERED else of_all)[measure]
        for method in METHODS
        for measure in MEASURES
    }


def off_by(values: NDArray[np.float64]) -> float:
    """Return how many standard errors the mean is away from 0."""
    return float(abs(values.mean()) / (values.std() / np.sqrt(len(values))))


def shares_held(world: World, spoil: Spoil = as_it_is) -> dict[tuple[str, str, str], float]:
    """Return which share of the intervals holds what is true of the world, where most have one."""
    _, known, covered = (sums.sum(axis=0) for sums in played(world, as_it_is))
    true = {
        name: {
            method: measures_of(covered if method in OF_COVERED else known, chosen)["ipw"]
            for method in METHODS
        }
        for name, chosen in CHOSEN.items()
    }
    held: dict[tuple[str, str, str], list[bool]] = {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        matured = MaturedCharges()
        matured.add(spoil(see(make(world, rng), rng)))
        replicas = replicas_of(*matured.kept(*matured.days), replicas=REPLICAS)
        for name, chosen in CHOSEN.items():
            for method, measures in measures_of(replicas, chosen).items():
                for measure, values in measures.items():
                    low, high = interval_of(values)
                    if low is not None and high is not None:
                        is_held = bool(low <= true[name][method][measure] <= high)
                        held.setdefault((name, method, measure), []).append(is_held)
    return {key: float(np.mean(each)) for key, each in held.items() if len(each) > SEEDS / 2}


@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=CHOSEN)
def test_estimates_are_unbiased_where_the_holdout_covers_all(chosen: NDArray[np.bool_]) -> None:
    """Though the scores, which one of them uses, are not what they should be."""
    found = errors(COVERED, chosen)
    for method in ESTIMATED:
        for measure in MEASURES:
            assert off_by(found[method, measure]) < SE_MAX, (method, measure)
    for measure in MEASURES:
        assert off_by(found["scores", measure]) > 4 * SE_MAX, measure


def test_the_doubly_robust_estimate_varies_least() -> None:
    found = errors(COVERED, BLOCKS)
    spread = {method: found[method, "precision"].std() for method in ESTIMATED}
    assert spread["doubly_robust"] < spread["self_normalised"] < 0.6 * spread["ipw"]


def test_where_it_covers_a_part_two_are_of_that_part_and_the_third_trusts_scores_for_the_rest() -> (
    None
):
    found = errors(IN_PART, BLOCKS)
    for method in ("ipw", "self_normalised"):
        for measure in MEASURES:
            assert off_by(found[method, measure]) < SE_MAX, (method, measure)
    doubly, scores = found["doubly_robust", "precision"], found["scores", "precision"]
    assert off_by(doubly) < 0.5 * off_by(scores)
    assert abs(doubly.mean()) < 0.25 * abs(scores.mean())  # a sixth of the blocks is not covered


@pytest.mark.parametrize(
    ("spoil", "methods"),
    [
        (without_propensities, ["ipw", "doubly_robust"]),
        (with_the_unseen_as_genuine, ["self_normalised", "doubly_robust"]),
    ],
)
def test_a_mistake_shows_as_a_bias(spoil: Spoil, methods: list[str]) -> None:
    """The third of the methods does not ask for the one, or the other."""
    found = errors(COVERED, BLOCKS, spoil)
    for method in methods:
        assert off_by(found[method, "precision"]) > 4 * SE_MAX, method


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    shares = shares_held(COVERED)
    for name in CHOSEN:
        for method in ESTIMATED:
            for measure in MEASURES:
                share = shares[name, method, measure]
                assert 0.88 <= share <= 0.99, (name, method, measure, share)


def test_intervals_of_charges_that_are_taken_for_independent_are_too_narrow() -> None:
    apart = shares_held(CROWDED, with_each_charge_on_a_card_of_its_own)
    together = shares_held(CROWDED)
    key = "blocks", "doubly_robust", "precision"
    assert apart[key] < 0.8
    assert together[key] > 0.86


def test_intervals_of_few_labels_are_too_narrow() -> None:
    """Of seven labels, as is written down: there may be only frauds among them."""
    shares = shares_held(FEW)
    assert 0.75 <= shares["blocks", "self_normalised", "precision"] <= 0.9


def blocked(count: int, *, share: float, drawn: int = 0, score: float = 0.8) -> Rows:
    """Return charges that were to be blocked, each on a card of its own; some of them drawn."""
    rows = MATURED_LAYOUT.new(count)
    rows["card"], rows["action"], rows["score"] = 1 + np.arange(count), BLOCK, score
    rows["propensity"], rows["counts"] = share, 1.0
    rows["seen"][:drawn] = GENUINE
    return rows


def through(frauds: int, genuine: int, counts: float) -> Rows:
    """Return charges that went through with a score of 0.005."""
    rows = MATURED_LAYOUT.new(frauds + genuine)
    rows["card"], rows["score"], rows["propensity"] = 10_000, 0.005, 1.0
    rows["seen"] = np.repeat([FRAUD, GENUINE], [frauds, genuine])
    rows["counts"] = np.repeat([1.0, counts], [frauds, genuine])
    return rows


def estimated(*rows: Rows) -> dict[str, Any]:
    matured = MaturedCharges()
    for part in rows:
        matured.add(part)
    return estimates(*matured.kept(*matured.days))


def test_the_formulas_by_hand() -> None:
    """Of 100 blocked 40 can be drawn with a fifth; of the 10 that are, 6 are frauds."""
    of_ten = blocked(40, share=0.2, drawn=10)
    of_ten["seen"][:6] = FRAUD
    found = estimated(of_ten, blocked(60, share=0.0), through(20, 50, 10.0))
    block = found["actions"]["block"]
    assert found["charges"] == pytest.approx(620.0)
    assert (block["charges"], block["covered"], block["labels"]) == (100.0, 0.4, 10)
    assert block["effective_sample_size"] == pytest.approx(10.0)

    def values(measure: str) -> list[float]:
        return [block[measure][method]["value"] for method in METHODS]

    ipw, normalised, scores = 6 * 5.0, 40 * 6 / 10, 0.8 * 100
    doubly = scores + 5.0 * (6 - 10 * 0.8)
    low = 0.005 * 520
    assert values("precision") == pytest.approx([ipw / 40, normalised / 40, doubly / 100, 0.8])
    assert values("recall") == pytest.approx(
        [ipw / (ipw + 20), normalised / (normalised + 20), doubly / (doubly + 20),
         scores / (scores + low)]
    )  # fmt: skip
    assert values("false_positive_rate") == pytest.approx(
        [10 / 510, 16 / 516, (100 - doubly) / (600 - doubly), 20 / (20 + 520 - low)]
    )


def test_kish_by_hand() -> None:
    """Weights of 1, 10 and 5."""
    rows = np.concatenate([through(1, 1, 10.0), blocked(1, share=0.2, drawn=1)])
    rows["score"] = 0.5
    [found] = [each for each in estimated(rows)["thresholds"] if each["threshold"] == 0.5]
    assert found["effective_sample_size"] == pytest.approx(16.0**2 / (1 + 100 + 25), rel=1e-5)


def test_what_cannot_be_said_is_none() -> None:
    """Nothing was drawn: only the scores say anything of the blocks. Of no charges nothing does."""
    block = estimated(blocked(50, share=0.02), through(5, 5, 10.0))["actions"]["block"]
    for measure in MEASURES:
        for method in ESTIMATED:
            assert block[measure][method] == {"value": None, "low": None, "high": None}
        assert block[measure]["scores"]["value"] is not None
    nothing = estimated()
    assert nothing["charges"] == 0.0
    assert nothing["actions"]["block"]["covered"] is None
    assert nothing["actions"]["block"]["precision"]["scores"]["value"] is None


def test_where_nobody_acts_estimates_are_counts() -> None:
    made = make(COVERED, np.random.default_rng(1))
    made.charges["propensity"] = 1.0
    made.charges["seen"] = np.where(made.is_fraud, FRAUD, GENUINE)
    found, true = estimated(made.charges), truth(made.charges, made.is_fraud)
    for name in ACTIONS[1:]:
        for measure in MEASURES:
            for method in ESTIMATED:
                value = found["actions"][name][measure][method]["value"]
                assert value == pytest.approx(true["actions"][name]["all"][measure])


def test_days_are_chosen_and_low_scores_count_by_day() -> None:
    """Nothing is lost by adding up what scored low."""
    rng = np.random.default_rng(2)
    rows = see(make(IN_PART, rng), rng)
    matured, low = MaturedCharges(), rows["score"] < THRESHOLDS[0]
    for start in range(0, len(rows), 100):
        matured.add(rows[start : start + 100])
    assert matured.days == (0, 10)
    kept, sums = matured.kept(2, 7)
    chosen = rows[(rows["created"] >= 2 * DAY_S) & (rows["created"] < 7 * DAY_S)]
    np.testing.assert_allclose(sums_of(kept, sums), sums_of(chosen))
    assert len(kept) < len(chosen)
    assert np.count_nonzero(low & (rows["action"] == ALLOW)) > 100


def test_replicas_are_the_same_again_and_move_about_the_sums() -> None:
    rng = np.random.default_rng(3)
    rows = see(make(World(cards=5000), rng), rng)
    replicas = replicas_of(rows, 0.0, replicas=400)
    shuffled = rows[rng.permutation(len(rows))]
    np.testing.assert_allclose(replicas_of(shuffled, 0.0, replicas=400), replicas)
    assert (replicas_of(rows, 0.0, seed=1, replicas=400) != replicas).any()
    sums = sums_of(rows)
    assert replicas.shape == (400, len(ACTIONS), BANDS, sums.shape[-1])
    away = np.abs(replicas.mean(axis=0) - sums) / (replicas.std(axis=0) / 20.0 + 1e-9)
    assert np.percentile(away, 95) < 3.0
