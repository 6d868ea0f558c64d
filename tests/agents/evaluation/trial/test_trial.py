"""Rules on trial: every figure against a plain computation from what a backtest wrote."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import pytest

from agents.backtest.backtest import Backtest
from agents.backtest.replay import Replay
from agents.backtest.trial_run import TrialRun
from agents.evaluation.trial.labels import LABELS
from agents.evaluation.trial.summary import changes
from agents.evaluation.trial.trial import OnTrial, Trial
from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.rules.rule_set import parse
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from agents.stages.card_in_memory import Cards
from agents.stages.tasks import bare_policy
from schemas.scored import ACTIONS
from streams.events.files import write_events
from streams.simulator import Simulation
from tests.agents.evaluation.trial.plain_trial import (
    STOPS,
    USD,
    WENT,
    PlainCharge,
    PlainRule,
    costs_of,
    counts,
    decided,
    label_of,
    stopped_share,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.evaluation.trial.tried import Tried
    from streams.events.batch import TimedBatch

    Event = Mapping[str, Any]

DAY_S = 86_400.0
START = 1_700_000_000.0
HORIZON_DAYS = 2.0
SETTINGS = Settings(
    label_horizon_days=HORIZON_DAYS,
    snapshot_every_examples=50,
    negative_rate=1.0,
    actions="advisory",
    costs=Costs(review_capacity_share=0.02),
)

TEXT = """
# big: Large amounts online
block if :amount_usd: > 120 and :channel: = "online"
# low:
challenge if :score: > 0.03 and 60 >= :amount_usd:
# home:
allow if :card_country: = "US" and :card_charges_before: >= 10
# larger: Never decides, as big is above
block if :channel: = "online" and :amount_usd: > 400
# none:
block if :amount_usd: > 1e9
# seen:
review if :amount_usd: > 300 and not :channel: = "online"
# trusted:
allow_without_challenge if ::tier:: >= 3
# watch:
shadow block if :risk: >= 90
shadow review if :funding: = "prepaid"
"""


def is_online(charge: Event) -> bool:
    return charge.get("channel") == "online"


RULES = [
    PlainRule("big", "block", lambda c: c["usd"] > 120 and is_online(c)),
    PlainRule("low", "challenge", lambda c: c["score"] > 0.03 and c["usd"] <= 60),
    PlainRule(
        "home", "allow", lambda c: c.get("card_country") == "US" and c["before_on_card"] >= 10
    ),
    PlainRule("larger", "block", lambda c: is_online(c) and c["usd"] > 400),
    PlainRule("none", "block", lambda c: c["usd"] > 1e9),
    PlainRule(
        "seen",
        "review",
        lambda c: c["usd"] > 300 and c.get("channel") is not None and not is_online(c),
    ),
    PlainRule("trusted", "allow_without_challenge", lambda c: c["tier"] >= 3),
    PlainRule("watch", "block", lambda c: c["risk"] >= 90, shadow=True),
    PlainRule("prepaid", "review", lambda c: c.get("funding") == "prepaid", shadow=True),
]


class History(NamedTuple):
    """Events as they were made, and the batches that a replay makes of them."""

    charges: Sequence[Event]
    disputes: Sequence[Event]
    outcomes: Sequence[Event]
    batches: list[TimedBatch]
    scored: list[Event]


@pytest.fixture(scope="module", params=[11])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> History:
    rng = random.Random(request.param)
    events: dict[str, list[dict[str, Any]]] = {"charges": [], "disputes": [], "outcomes": []}
    simulation = Simulation(
        seed=request.param,
        cards=150,
        merchants=20,
        start=START,
        days=9,
        charges_per_day=250,
        fraud_rate=0.08,
        dispute_delay_scale=0.05,
        duplicate_share=0.02,
    )
    end = START + 9 * DAY_S
    for event in simulation.events():
        value: dict[str, Any] = dict(event.value)
        if value["created"] < end:
            events[event.topic].append(value)
    for number, charge in enumerate(events["charges"]):
        charge["tier"] = int(charge["id"].encode()[-1]) % 5 if number % 2 else "gold"
    events["outcomes"] = made_up_outcomes(events["charges"], rng, end)
    directory = tmp_path_factory.mktemp("history")
    files = {name: directory / f"{name}.jsonl" for name in events}
    for name, file in files.items():
        write_events(file, list(map(orjson.dumps, events[name])))
    replay = Replay(files["charges"], files["disputes"], inf, outcomes=files["outcomes"])
    for _ in replay.survey():
        pass
    batches = [part.events for part in replay.parts()]
    return History(
        events["charges"], events["disputes"], events["outcomes"], batches, scored(batches)
    )


def made_up_outcomes(
    charges: Sequence[Event], rng: random.Random, end: float
) -> list[dict[str, Any]]:
    """Return outcomes of some charges, some of which contradict each other."""
    names = sorted(WENT | STOPS | {"refunded", "dispute_won"})
    made: list[dict[str, Any]] = []
    for charge in charges:
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
            created = charge["created"] + rng.uniform(1.0, 3 * DAY_S)
            if created < end:
                about = {name: charge[name] for name in ("card", "merchant")}
                made.append(
                    {
                        "id": f"o{len(made)}",
                        "charge": charge["id"],
                        "created": created,
                        "outcome": rng.choice(names),
                        **about,
                    }
                )
    return made


def scored(batches: list[TimedBatch]) -> list[Event]:
    """Return what a backtest writes of them."""
    backtest, cards = Backtest(SETTINGS, lambda: 0.0), Cards(SETTINGS)
    counted = [each for batch in batches for each in cards.count(batch)]
    steps = [step for each in [*counted, cards.end()] for step in backtest.score(each)]
    return [orjson.loads(event) for step in steps for event in step.output.scored]


def policy_with(text: str, merchant: str = "*") -> Any:
    rules = ActiveRules({merchant: MerchantRuleSet(merchant, 1, parse(text))})
    return bare_policy(SETTINGS).under(rules)


def tried(
    history: History, text: str = TEXT, before: str | None = None, **given: Any
) -> tuple[dict[str, Any], Tried]:
    """Try rules; return what they change, and the charges."""
    merchant = given.pop("merchant", "*")
    now = bare_policy(SETTINGS) if before is None else policy_with(before, merchant)
    on_trial = OnTrial(merchant, parse(text))
    trial = Trial(now, policy_with(text, merchant), on_trial, **given)
    TrialRun(SETTINGS, trial).over(history.batches)
    found = trial.tried(HORIZON_DAYS * DAY_S)
    return changes(on_trial, found, now.terms), found


@pytest.fixture(scope="module")
def told(history: History) -> tuple[dict[str, Any], Tried]:
    return tried(history)


@pytest.fixture(scope="module")
def plain(history: History) -> list[PlainCharge]:
    return plainly(history, RULES)


def plainly(history: History, rules: list[PlainRule]) -> list[PlainCharge]:
    about: dict[tuple[str, str], tuple[list[Event], list[Event]]] = defaultdict(lambda: ([], []))
    for place, events in enumerate((history.disputes, history.outcomes)):
        for event in events:
            about[event["card"], event["charge"]][place].append(event)
    everything = [*history.charges, *history.disputes, *history.outcomes]
    newest = max(event["created"] for event in everything)
    on_card: Counter[str] = Counter()
    charges: list[dict[str, Any]] = []
    for event in history.scored:
        if not event.get("duplicate"):
            source = next(c for c in by_id(history)[event["charge"]])
            usd = source["amount"] * USD[source["currency"]]
            seen = on_card[event["card"]]
            charges.append({**source, **event, "usd": usd, "before_on_card": seen})
            charges[-1]["tier"] = source["tier"] if isinstance(source["tier"], int) else nan
            on_card[event["card"]] += 1
    costs = SETTINGS.costs
    before, after = decided(charges, [], costs), decided(charges, rules, costs)
    return [
        PlainCharge(
            charge,
            label_of(charge, *about[charge["card"], charge["id"]], newest, HORIZON_DAYS * DAY_S),
            old,
            new,
            by,
            [rule.name for rule in rules if rule.asks(charge)],
        )
        for charge, (old, _), (new, by) in zip(charges, before, after, strict=True)
    ]


_INDEX: dict[int, dict[str, list[Event]]] = {}


def by_id(history: History) -> dict[str, list[Event]]:
    if id(history) not in _INDEX:
        index: dict[str, list[Event]] = defaultdict(list)
        for charge in history.charges:
            index[charge["id"]].append(charge)
        _INDEX[id(history)] = index
    return _INDEX[id(history)]


def test_the_history_has_what_it_takes(plain: list[PlainCharge]) -> None:
    labels = Counter(charge.label for charge in plain)
    assert min(labels[name] for name in LABELS) > 20
    moves = Counter((charge.before, charge.after) for charge in plain)
    assert len(moves) > 8
    assert sum(charge.after == "review" and charge.decided_by is None for charge in plain) > 5


def test_without_rules_it_decides_as_the_backtest_did(
    history: History, plain: list[PlainCharge]
) -> None:
    written = [event["action"] for event in history.scored if not event.get("duplicate")]
    assert [charge.before for charge in plain] == written


def test_every_charge_is_decided_and_labelled_as_plainly(
    told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]
) -> None:
    _, found = told
    assert len(found) == len(plain)
    assert [ACTIONS[code] for code in found.charges["before"]] == [c.before for c in plain]
    assert [ACTIONS[code] for code in found.charges["after"]] == [c.after for c in plain]
    assert [LABELS[code] for code in found.labels] == [c.label for c in plain]
    assert found.charges["amount"].tolist() == [c.usd for c in plain]
    names = [rule.name for rule in RULES]
    by = [None if code < 0 else names[code] for code in found.charges["decided_by"].tolist()]
    assert by == [c.decided_by for c in plain]
    for number, name in enumerate(names):
        assert found.matched.row(number).tolist() == [name in c.matched for c in plain]


def test_counts(told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]) -> None:
    figures, _ = told
    labels = Counter(charge.label for charge in plain)
    assert figures["all"] == pytest.approx(counts(plain))
    moved = [charge for charge in plain if charge.before != charge.after]
    assert figures["changed"] == pytest.approx(counts(moved))
    assert figures["young"] == labels["young"]
    assert figures["silenced"] == labels["silenced"]
    assert figures["changed_young"] == sum(charge.label == "young" for charge in moved)
    assert figures["elsewhere"] == 0
    moves = {(row["before"], row["after"]): row for row in figures["transitions"]}
    assert set(moves) == {(charge.before, charge.after) for charge in plain}
    for (before, after), row in moves.items():
        chosen = [c for c in plain if (c.before, c.after) == (before, after)]
        assert {name: row[name] for name in counts(chosen)} == pytest.approx(counts(chosen))


def test_frauds_genuine_charges_and_money(
    told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]
) -> None:
    effects, costs = told[0]["effects"], SETTINGS.costs
    known = [charge for charge in plain if charge.label in {"fraud", "genuine"}]
    assert effects["charges"] == len(known)
    sums = {
        side: {
            "frauds_stopped": sum(
                stopped_share(getattr(c, side), c.label, costs) for c in known if c.label == "fraud"
            ),
            "genuine_refused": sum(
                stopped_share(getattr(c, side), c.label, costs)
                for c in known
                if c.label == "genuine"
            ),
            "cost": sum(
                costs_of(float(c.label == "fraud"), c.usd, costs)[getattr(c, side)] for c in known
            ),
        }
        for side in ("before", "after")
    }
    for name in ("frauds_stopped", "genuine_refused", "cost"):
        found = effects[name]
        assert found["before"] == pytest.approx(sums["before"][name], rel=1e-12)
        assert found["after"] == pytest.approx(sums["after"][name], rel=1e-12)
        assert found["difference"] == pytest.approx(found["after"] - found["before"])
        assert found["low"] <= found["difference"] <= found["high"]
    each = effects["cost_per_1000"]
    assert each["before"] == pytest.approx(sums["before"]["cost"] / len(known) * 1000.0)
    assert each["high"] == pytest.approx(effects["cost"]["high"] / len(known) * 1000.0)


def test_each_rule(told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]) -> None:
    figures, _ = told
    frauds = sum(charge.label == "fraud" for charge in plain)
    parsed = parse(TEXT).rules
    for row, rule, own in zip(figures["rules"], RULES, parsed, strict=True):
        assert row["id"] == own.label
        assert row["rule"] == str(own)
        assert (row["action"], row["shadow"]) == (rule.action, rule.shadow)
        matched = [c for c in plain if rule.name in c.matched]
        by_it = [c for c in plain if c.decided_by == rule.name]
        assert row["matched"] == pytest.approx(counts(matched))
        assert row["decided"] == pytest.approx(counts(by_it))
        assert row["changes"] == sum(c.before != c.after for c in by_it)
        found = counts(matched)
        known = found["frauds"] + found["genuine"]
        assert row["recall"] == pytest.approx(found["frauds"] / frauds)
        if known:
            assert row["precision"]["value"] == pytest.approx(found["frauds"] / known)
            low, high = row["precision"]["low"], row["precision"]["high"]
            assert 0.0 <= low <= row["precision"]["value"] <= high <= 1.0
        else:
            assert row["precision"]["value"] is None


def test_rules_that_never_decide(
    told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]
) -> None:
    found = {row["id"]: row for row in told[0]["never_decide"]}
    assert set(found) == {"larger", "none"}
    assert (found["none"]["charges"], found["none"]["taken_by"]) == (0, [])
    takers = Counter(c.decided_by for c in plain if "larger" in c.matched)
    assert takers["big"] > 5
    assert {each["id"]: each["charges"] for each in found["larger"]["taken_by"]} == takers


def test_overlaps(told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]) -> None:
    labels = [rule.label for rule in parse(TEXT).rules]
    by_name = dict(zip((rule.name for rule in RULES), labels, strict=True))
    expected = {}
    for one, other in combinations([rule.name for rule in RULES], 2):
        both = [c for c in plain if one in c.matched and other in c.matched]
        if both:
            sizes = [sum(name in c.matched for c in plain) for name in (one, other)]
            expected[by_name[one], by_name[other]] = (
                len(both),
                sum(c.label == "fraud" for c in both),
                len(both) / min(sizes),
            )
    rows = told[0]["overlaps"]
    found = {tuple(r["rules"]): (r["charges"], r["frauds"], r["share"]) for r in rows}
    assert found == expected
    assert [row["charges"] for row in rows] == sorted(
        (row["charges"] for row in rows), reverse=True
    )


SWEPT = [
    ("big", "usd", ">", 120.0, is_online),
    ("low", "score", ">", 0.03, lambda c: c["usd"] <= 60),
    ("low", "usd", "<=", 60.0, lambda c: c["score"] > 0.03),
    ("home", "before_on_card", ">=", 10.0, lambda c: c.get("card_country") == "US"),
    ("larger", "usd", ">", 400.0, is_online),
    ("none", "usd", ">", 1e9, lambda _: True),
    ("seen", "usd", ">", 300.0, lambda c: c.get("channel") and not is_online(c)),
    ("trusted", "tier", ">=", 3.0, lambda _: True),
    ("watch", "risk", ">=", 90.0, lambda _: True),
]
COMPARE = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def test_thresholds_with_other_constants(
    told: tuple[dict[str, Any], Tried], plain: list[PlainCharge]
) -> None:
    figures, _ = told
    frauds = sum(charge.label == "fraud" for charge in plain)
    for row, (name, field, operator, constant, rest) in zip(figures["sweeps"], SWEPT, strict=True):
        assert (row["id"], row["operator"], row["constant"]) == (name, operator, constant)
        compared = [c for c in plain if rest(c.fields) and not isnan(c.fields[field])]
        assert row["charges"] == len(compared)
        constants = [point["constant"] for point in row["points"]]
        assert constants == sorted(set(constants))
        assert [p["constant"] for p in row["points"] if p["own"]] == [constant]
        assert len(constants) <= 8
        for point in row["points"]:
            holds = [c for c in compared if COMPARE[operator](c.fields[field], point["constant"])]
            expected = counts(holds)
            assert {key: point[key] for key in expected} == pytest.approx(expected)
            assert point["recall"] == pytest.approx(expected["frauds"] / frauds)
        if field == "usd" and name != "none":
            halved = [p["charges"] / len(compared) for p in row["points"] if not p["own"]]
            assert min(abs(share - 0.5) for share in halved) < 0.05
            assert min(abs(share - 0.1) for share in halved) < 0.05
    assert figures["sweeps_left_out"] == 0


def test_only_the_period_counts(history: History, plain: list[PlainCharge]) -> None:
    start, end = START + 3 * DAY_S, START + 5.5 * DAY_S
    figures, found = tried(history, start=start, end=end)
    inside = [c for c in plain if start <= c.fields["created"] < end]
    assert figures["all"] == pytest.approx(counts(inside))
    assert [ACTIONS[code] for code in found.charges["after"]] == [c.after for c in inside]
    assert (figures["first"], figures["last"]) == (
        inside[0].fields["created"],
        inside[-1].fields["created"],
    )


def test_of_a_merchant_only_its_charges_count(history: History) -> None:
    [(merchant, _)] = Counter(c["merchant"] for c in history.charges).most_common(1)
    rules = [
        PlainRule(rule.name, rule.action, lambda c, rule=rule: own(c) and rule.asks(c), rule.shadow)  # type: ignore[misc]
        for rule in RULES
    ]

    def own(charge: Event) -> bool:
        return bool(charge["merchant"] == merchant)

    plain = plainly(history, rules)
    figures, found = tried(history, merchant=merchant)
    mine = [c for c in plain if own(c.fields)]
    assert figures["all"] == pytest.approx(counts(mine))
    assert [ACTIONS[code] for code in found.charges["after"]] == [c.after for c in mine]
    others = [c for c in plain if not own(c.fields)]
    assert figures["elsewhere"] == sum(c.before != c.after for c in others)


def test_in_place_of_themselves_rules_change_nothing(history: History) -> None:
    figures, _ = tried(history, before=TEXT)
    assert figures["changed"]["charges"] == 0
    assert all(row["before"] == row["after"] for row in figures["transitions"])
    cost = figures["effects"]["cost"]
    assert (cost["difference"], cost["low"], cost["high"]) == (0.0, 0.0, 0.0)
    assert all(row["changes"] == 0 for row in figures["rules"])


def test_in_place_of_others_they_change_what_those_did(
    history: History, plain: list[PlainCharge]
) -> None:
    figures, _ = tried(history, text="", before=TEXT)
    moves = {(row["before"], row["after"]): row["charges"] for row in figures["transitions"]}
    assert moves == Counter((c.after, c.before) for c in plain)
    assert (figures["rules"], figures["sweeps"], figures["overlaps"]) == ([], [], [])


def test_how_events_are_cut_makes_no_difference(
    history: History, told: tuple[dict[str, Any], Tried]
) -> None:
    cut = [batch.part(i, i + 7) for batch in history.batches for i in range(0, len(batch), 7)]
    figures, _ = tried(history._replace(batches=cut))
    assert orjson.dumps(figures) == orjson.dumps(told[0])


def test_nothing_at_all() -> None:
    nothing = History([], [], [], [], [])
    figures, found = tried(nothing)
    assert len(found) == 0
    assert (figures["first"], figures["transitions"], figures["overlaps"]) == (None, [], [])
    assert figures["effects"]["cost_per_1000"]["difference"] == 0.0
    assert {row["id"] for row in figures["never_decide"]} == {
        rule.label for rule in parse(TEXT).rules
    }
    assert np.isnan(np.array([row["recall"] or np.nan for row in figures["rules"]])).all()
