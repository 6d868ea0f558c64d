"""Settings: which source wins, and what a wrong one says."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect as types

from agents.settings.costs import Costs
from agents.settings.schema import COST_FIELDS, FIELDS, Settings
from agents.settings.sources import SettingsError, expected, load_settings, variable
from schemas.input_rules import InputRules
from schemas.signals import Signal


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    settings = load_settings({}, {"HOME": "/root"})
    assert settings == msgspec.structs.replace(Settings(), worker_id=settings.worker_id)


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text(
        'max_batch = 1\nweb_port = 1\ncommit_interval_ms = 1\nstate_dir = "there"\n'
        "label_horizon_days = 20\n[costs]\ndispute_fee_usd = 1\nmargin_share = 0.5\n"
    )
    env = {
        "CHARGEWATCH_MAX_BATCH": "2",
        "CHARGEWATCH_WEB_PORT": "2",
        "CHARGEWATCH_COSTS_MARGIN_SHARE": "0.75",
        "CHARGEWATCH_LOG_LEVEL": "",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    }
    settings = load_settings({"max_batch": "3", "topic_prefix": None}, env, file)
    assert settings == Settings(
        bootstrap_servers="kafka:9092",
        max_batch=3,
        web_port=2,
        commit_interval_ms=1,
        state_dir=Path("there"),
        label_horizon_days=20.0,
        worker_id=settings.worker_id,
        costs=Costs(dispute_fee_usd=1.0, margin_share=0.75),
    )


def test_where_the_file_is(tmp_path: Path) -> None:
    for name, batch in (("chargewatch.toml", 1), ("named.toml", 2), ("given.toml", 3)):
        (tmp_path / name).write_text(f"max_batch = {batch}\n")
    env = {"CHARGEWATCH_CONFIG": "named.toml"}
    assert load_settings({}, {}).max_batch == 1
    assert load_settings({}, env).max_batch == 2
    assert load_settings({}, env, Path("given.toml")).max_batch == 3


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CHARGEWATCH_MAX_BATHC", "3", "there is no such setting"),
        ("CHARGEWATCH_COSTS_FEE", "3", "there is no such setting"),
        ("CHARGEWATCH_COSTS", "3", "there is no such setting"),
        ("CHARGEWATCH_BOOTSTRAP_SERVERS", "k:1", "no such setting; it is KAFKA_BOOTSTRAP_SERVERS"),
        ("CHARGEWATCH_MAX_BATCH", "0", "expected an integer from 1 to 100000, got '0'"),
        ("CHARGEWATCH_MAX_BATCH", "2.5", "expected an integer from 1 to 100000, got '2.5'"),
        ("CHARGEWATCH_CACHE_RECORDS", "x", "expected an integer of 1000 or more, got 'x'"),
        ("CHARGEWATCH_NEGATIVE_RATE", "0", "expected a number above 0 and up to 1, got '0'"),
        ("CHARGEWATCH_SNAPSHOT_EVERY_S", "inf", "expected a number above 0, got 'inf'"),
        ("CHARGEWATCH_SNAPSHOT_EVERY_S", "nan", "expected a number above 0, got 'nan'"),
        ("CHARGEWATCH_TOPIC_PREFIX", "a b", "expected at most 200 ASCII letters"),
        ("CHARGEWATCH_WORKER_ID", "a/b", "expected 1 to 200 ASCII letters"),
        ("CHARGEWATCH_LOG_LEVEL", "loud", "expected debug or error or info or warning"),
        ("CHARGEWATCH_COSTS_MARGIN_SHARE", "2", "expected a number from 0 to 1, got 2.0"),
        ("CHARGEWATCH_COSTS_MARGIN_SHARE", "nan", "expected a number"),
        ("CHARGEWATCH_COSTS_MARGIN_SHARE", "much", "expected a number, got 'much'"),
        ("CHARGEWATCH_DISPUTE_RETENTION_DAYS", "20", r"at least label_horizon_days \(30\), got 20"),
    ],
)
def test_wrong_variable_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}: .*{message}") as raised:
        load_settings({}, {name: value})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_bathc = 1", "f.toml: max_bathc: there is no such setting"),
        ("max_batch = '1'", "f.toml: max_batch: expected an integer from 1 to 100000, got '1'"),
        ("max_batch = true", "f.toml: max_batch: expected an integer"),
        ("state_dir = 1", "f.toml: state_dir: expected text, got 1"),
        ("costs = 1", "f.toml: costs: there is no such setting"),
        ("[costs]\nfee = 1", r"f.toml: costs\.fee: there is no such setting"),
        ("[costs]\nmargin_share = '1'", r"f.toml: costs\.margin_share: expected a number"),
        ("[other]\nfee = 1", "f.toml: other: there is no such setting"),
        ("max_batch = 1\nweb_port = x", "f.toml: .*line 2"),
        ("\xff", "f.toml: "),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f.toml").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=f"^{message}"):
        load_settings({}, {}, Path("f.toml"))


@pytest.mark.parametrize("text", ["too short", "15 characters.."])
def test_a_secret_is_never_shown(tmp_path: Path, text: str) -> None:
    message = "card_hash_key: expected a secret text of at least 16 characters, got something else"
    (tmp_path / "f.toml").write_text(f'card_hash_key = "{text}"')
    for env, file, label in (
        ({"CHARGEWATCH_CARD_HASH_KEY": text}, None, "CHARGEWATCH_CARD_HASH_KEY"),
        ({}, tmp_path / "f.toml", f"{tmp_path / 'f.toml'}: card_hash_key"),
    ):
        with pytest.raises(SettingsError) as raised:
            load_settings({}, env, file)
        assert str(raised.value) == f"{label}{message.removeprefix('card_hash_key')}"
    secret = f"{text}, but long enough"
    settings = load_settings({}, {"CHARGEWATCH_CARD_HASH_KEY": secret})
    assert settings.input_rules == InputRules("lenient", secret.encode())
    assert text not in f"{settings!r} {settings} {settings.input_rules!r}"


def test_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^none\.toml: No such file"):
        load_settings({}, {}, Path("none.toml"))


def test_wrong_flag_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^--commit-interval-ms: expected an integer"):
        load_settings({"commit_interval_ms": "soon"}, {})


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_documented_and_can_be_set(name: str) -> None:
    info = types.type_info(FIELDS[name].type)
    assert expected(info)
    assert isinstance(info, types.Metadata)
    assert re.match(r"\S.{10,}", (info.extra_json_schema or {}).get("description", ""))
    default = getattr(Settings(), name)
    if default:
        text = ",".join(default) if isinstance(default, tuple) else str(default)
        assert getattr(load_settings({}, {variable(name): text}), name) == default


@pytest.mark.parametrize("name", COST_FIELDS)
def test_every_cost_can_be_set(name: str) -> None:
    settings = load_settings({}, {variable(f"costs.{name}"): "0.125"})
    assert getattr(settings.costs, name) == 0.125


@pytest.mark.parametrize("text", ["linear,additive", " linear , additive ,"])
def test_a_list_in_a_variable_has_commas(text: str, tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('challengers = ["linear", "additive"]\n')
    assert load_settings({}, {}, file).challengers == ("linear", "additive")
    assert load_settings({}, {"CHARGEWATCH_CHALLENGERS": text}).challengers == (
        "linear",
        "additive",
    )
    assert load_settings({"challengers": text}, {}).challengers == ("linear", "additive")
    file.write_text("challengers = [1]\n")
    with pytest.raises(SettingsError, match="challengers: expected kinds of models with commas"):
        load_settings({}, {}, file)


@pytest.mark.parametrize(
    ("given", "interval_s"),
    [
        ({}, 0.02),
        ({"processing_guarantee": "at_least_once"}, 0.1),
        ({"processing_guarantee": "at_least_once", "commit_interval_ms": 7}, 0.007),
        ({"commit_interval_ms": 10_000}, 10.0),
    ],
)
def test_commits_wait_as_the_guarantee_suggests_or_as_told(
    given: dict[str, object], interval_s: float
) -> None:
    assert load_settings(given, {}).commit_interval_s == interval_s


def test_signals_of_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text(
        '[signals]\nage = "number"\nshop = { kind = "category", text = "a shop of {value}" }\n'
    )
    of_file = load_settings({}, {}, file)
    assert of_file.signals == (
        Signal("age", "number"),
        Signal("shop", "category", "a shop of {value}"),
    )
    assert of_file.input_rules.signals == of_file.signals
    env = {"CHARGEWATCH_SIGNALS": "ip_risk=number, plan = category"}
    assert load_settings({}, env, file).signals == (
        Signal("ip_risk", "number"),
        Signal("plan", "category"),
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("age", "age: expected number or category, got ''"),
        ("amount=number", "amount: is a field that a charge or its scored event has itself"),
    ],
)
def test_a_wrong_signal_is_named(value: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({}, {"CHARGEWATCH_SIGNALS": value})
    assert str(refused.value) == f"CHARGEWATCH_SIGNALS: {message}"


def test_signals_are_a_table(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('signals = "age"\n')
    with pytest.raises(SettingsError, match="signals: expected a table of fields, got 'age'"):
        load_settings({}, {}, file)
