"""Rates of currencies as a user meets them: another file, a wrong one, an old one."""

from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError, load_settings
from agents.terminal.rates import old_rates
from schemas.currency import bundled_rates
from streams.events.decoding import decode_charges
from streams.events.files import write_events
from streams.events.origin import Origin
from streams.events.rejected import Input

RATES = """
date = {date}
[currencies]
usd = {{ decimals = 2, usd = 1 }}
xyz = {{ decimals = 1, usd = 0.5 }}
"""
CURRENCIES = ("usd", "xyz", "jpy", "usd", "xyz")


def event(number: int, currency: str) -> bytes:
    return orjson.dumps(
        {
            "id": f"ch_{number}",
            "created": 1_790_000_000.0 + number,
            "amount": 1999,
            "currency": currency,
            "card": f"card_{number}",
            "merchant": "m",
        }
    )


@pytest.fixture
def charges(tmp_path: Path) -> Path:
    file = tmp_path / "charges.jsonl"
    write_events(file, [event(number, currency) for number, currency in enumerate(CURRENCIES)])
    return file


def rates(directory: Path, of: str = "2026-09-29") -> str:
    file = directory / "rates.toml"
    file.write_text(RATES.format(date=of), encoding="utf-8")
    return str(file)


def backtest(charges: Path, currency_rates: str) -> Result:
    return CliRunner().invoke(
        chargewatch,
        ["backtest", str(charges), "--out", str(charges.parent / "scores.jsonl")],
        env={"CHARGEWATCH_CURRENCY_RATES": currency_rates},
    )


def scored(charges: Path) -> list[str]:
    lines = (charges.parent / "scores.jsonl").read_bytes().splitlines()
    return [orjson.loads(line)["currency"] for line in lines]


def test_a_currency_without_a_rate_is_never_taken_for_another(charges: Path) -> None:
    result = backtest(charges, "")
    assert scored(charges) == ["usd", "jpy", "usd"]
    assert (
        f'range 2, first {charges}, event 2: currency: expected one with a rate, got "xyz"; to '
        "take it, add it to a copy of schemas/currencies.toml and name that in the setting "
        "currency_rates" in result.output
    )


def test_a_backtest_reads_amounts_by_another_file(charges: Path, tmp_path: Path) -> None:
    result = backtest(charges, rates(tmp_path))
    assert scored(charges) == ["usd", "xyz", "usd", "xyz"]
    assert "range 1, first" in result.output
    assert 'got "jpy"' in result.output


def test_a_worker_reads_amounts_by_another_file(tmp_path: Path) -> None:
    settings = Settings(currency_rates=rates(tmp_path))
    inputs = [
        Input(f"card_{number}".encode(), event(number, currency), Origin("charges", 0, number))
        for number, currency in enumerate(CURRENCIES)
    ]
    decoded = decode_charges(inputs, 2e9, settings.input_rules)
    assert decoded.batch.rows["amount"] == pytest.approx([19.99, 99.95, 19.99, 99.95])
    assert [copy.reason for copy in decoded.rejected] == ["range"]


def test_a_wrong_file_stops_a_command_at_once(charges: Path, tmp_path: Path) -> None:
    file = Path(rates(tmp_path))
    file.write_text(file.read_text().replace("0.5", "0"), encoding="utf-8")
    result = backtest(charges, str(file))
    assert result.exit_code == 2
    assert result.output == (
        f"Error: CHARGEWATCH_CURRENCY_RATES: {file}: currencies.xyz.usd: expected a number "
        "above 0, got 0\n"
    )


def test_a_file_of_settings_that_names_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.toml").write_text('currency_rates = "gone.toml"', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^f\.toml: currency_rates: gone\.toml: No such file"):
        load_settings({}, {}, Path("f.toml"))


def test_old_rates_are_told_at_the_start(charges: Path, tmp_path: Path) -> None:
    file = rates(tmp_path, "2020-02-29")
    result = backtest(charges, file)
    assert result.exit_code == 0
    assert result.stderr.startswith(
        f"Warning: currency_rates: {file} has rates of 2020-02-29, more than a year ago; bring a "
        "copy up to date, its date too, and name it in the setting currency_rates\n"
    )


def test_rates_of_the_last_year_are_not_told() -> None:
    rates = bundled_rates()
    assert old_rates(rates, rates.day) == ""
    assert old_rates(rates, date(rates.day.year + 1, rates.day.month, rates.day.day)) == ""
    assert str(rates.day) in old_rates(rates, date(rates.day.year + 2, 1, 1))
