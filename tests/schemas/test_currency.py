"""Currencies: which codes pass, and amounts on one scale."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.currency import BUNDLED, RatesError, bundled_rates, is_currency, read_rates


def codes(text: str) -> list[str]:
    return text.split()


ACTIVE = codes("""
aed afn all amd aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob bov brl bsd btn bwp byn bzd cad
cdf che chf chw clf clp cny cop cou crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel
ghs gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw
kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn mxv myr mzn nad
ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp
sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx usd usn uyi uyu uyw uzs
ved ves vnd vuv wst xad xaf xcd xcg xof xpf yer zar zmw zwg
""")
"""Every code of ISO 4217, list one of 2026-01-01, that has a minor unit; typed from the list."""
WITHOUT_MINOR_UNIT = codes("xag xau xba xbb xbc xbd xdr xpd xpt xsu xts xua xxx")
UNUSUAL = {
    **dict.fromkeys(
        codes("bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf"), 0
    ),
    **dict.fromkeys(codes("bhd iqd jod kwd lyd omr tnd"), 3),
    **dict.fromkeys(codes("clf uyw"), 4),
}
GOOD = """
date = 2026-09-29
[currencies]
usd = { decimals = 2, usd = 1 }
eur = { decimals = 2, usd = 1.25 }
"""


def written(directory: Path, text: str) -> Path:
    file = directory / "rates.toml"
    file.write_text(text, encoding="utf-8")
    return file


@given(st.one_of(st.text(max_size=5), st.from_regex("[a-zA-Z]{3}", fullmatch=True)))
@example("ﬁd")
@example("ßßß")
@example("usd\n")
@example("u d")
def test_currency_is_three_lower_case_letters(code: str) -> None:
    assert is_currency(code) == bool(re.fullmatch("[a-z]{3}", code))


def test_every_currency_has_its_decimals_and_a_rate() -> None:
    rates = bundled_rates()
    assert {code: rates.decimals[code] for code in ACTIVE} == {
        code: UNUSUAL.get(code, 2) for code in ACTIVE
    }
    for code in ACTIVE:
        # The least is the Iranian rial; the dearest the Chilean unit of account.
        major = rates.usd(10 ** rates.decimals[code], code)
        assert 5e-7 < major < 50, code


@pytest.mark.parametrize("code", [*WITHOUT_MINOR_UNIT, "abc", "xyz", "zzz", "dem", "btc"])
def test_what_is_no_currency_of_amounts_has_no_rate(code: str) -> None:
    assert code not in bundled_rates()
    with pytest.raises(KeyError):
        bundled_rates().usd(1, code)


@pytest.mark.parametrize(
    ("amount", "code", "low", "high"),
    [
        (1999, "usd", 19.99, 19.99),
        (1999, "usn", 19.99, 19.99),
        (1999, "eur", 19.99, 27.0),
        (100_000, "jpy", 500.0, 1_000.0),
        (1_000, "kwd", 3.0, 3.5),
        (10_000, "clf", 35.0, 50.0),
        (10_000, "uyw", 0.03, 0.06),
        (1_000_000, "idr", 0.5, 0.7),
        (1_000_000, "vnd", 35.0, 45.0),
        (1_000_000, "zwl", 0.1, 0.2),
    ],
)
def test_amount_in_dollars(amount: int, code: str, low: float, high: float) -> None:
    assert low <= round(bundled_rates().usd(amount, code), 9) <= high


@given(st.integers(1, 2**53 - 1), st.sampled_from(["usd", "jpy", "bhd", "clf"]))
def test_amounts_of_one_currency_keep_their_proportions(amount: int, code: str) -> None:
    rates = bundled_rates()
    assert rates.usd(amount, code) == pytest.approx(amount * rates.usd(1, code))
    assert rates.usd(amount, code) > 0


def test_another_file(tmp_path: Path) -> None:
    rates = read_rates(written(tmp_path, GOOD))
    assert rates.usd(1999, "eur") == pytest.approx(19.99 * 1.25)
    assert "jpy" not in rates
    assert [rates.are_old(date(2027, 9, day)) for day in (29, 30)] == [False, False]
    assert rates.are_old(date(2027, 10, 1))


@pytest.mark.parametrize(
    ("replaced", "by", "error"),
    [
        ("date = 2026-09-29", "", "date: expected the day of the rates, such as 2026-09-29"),
        ("2026-09-29", '"2026-09-29"', "date: expected the day of the rates, such as 2026-09-29"),
        ("2026-09-29", "2026-09-29T10:00:00Z", "date: expected the day of the rates, "),
        ("[currencies]", "[currency]", "currencies: expected a table"),
        ("[currencies]", "base = 1\n[currencies]", "base: there is no such entry"),
        ("eur =", "EUR =", "currencies.EUR: expected a code of three lower-case letters"),
        ("{ decimals = 2, usd = 1.25 }", "1.25", "currencies.eur: expected decimals and usd"),
        ("decimals = 2, usd = 1.25", "usd = 1.25", "currencies.eur: expected decimals and usd"),
        ("1.25", "-1.25", "currencies.eur.usd: expected a number above 0, got -1.25"),
        ("1.25", "0", "currencies.eur.usd: expected a number above 0, got 0"),
        ("1.25", "nan", "currencies.eur.usd: expected a number above 0, got nan"),
        ("1.25", '"1.25"', "currencies.eur.usd: expected a number above 0, got '1.25'"),
        ("2, usd = 1.25", "2.0, usd = 1", "currencies.eur.decimals: expected an integer from 0"),
        ("2, usd = 1.25", "-1, usd = 1", "currencies.eur.decimals: expected an integer from 0"),
        ("usd = 1 }", "usd = 2 }", "currencies.usd.usd: expected 1, as rates are in US dollars"),
        ("usd = { decimals = 2, usd = 1 }", "", "currencies.usd.usd: expected 1"),
        ("usd = 1 }", "usd = 1", "Unclosed inline table"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, replaced: str, by: str, error: str) -> None:
    assert replaced in GOOD
    file = written(tmp_path, GOOD.replace(replaced, by, 1))
    with pytest.raises(RatesError, match=rf"^{re.escape(str(file))}: .*{re.escape(error)}"):
        read_rates(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RatesError, match=r"none\.toml: No such file"):
        read_rates(tmp_path / "none.toml")


def test_the_bundled_file_says_where_it_is_from() -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    assert "ISO 4217" in text
    assert bundled_rates().day >= date(2026, 9, 29)
