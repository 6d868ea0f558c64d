"""The table of payment methods in the file of settings: laid over what is known, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agents.settings.schema import Settings
from agents.settings.sources import SettingsError, load_settings
from schemas.method_table import CARD_FIELDS, METHODS, method_of

if TYPE_CHECKING:
    from pathlib import Path

DEBIT = "[payment_methods.sepa_debit]\n"


def of_file(directory: Path, text: str) -> Settings:
    file = directory / "some.toml"
    file.write_text(text)
    return load_settings({}, {}, file)


def test_without_a_table_the_methods_are_those_that_are_known() -> None:
    assert load_settings({}, {}).payment_methods == METHODS
    debit, wallet, redirect = METHODS
    assert (debit.name, wallet.name, redirect.name) == ("sepa_debit", "wallet", "bank_redirect")
    assert all("challenge" not in method.actions for method in METHODS)


def test_a_table_changes_what_it_names_and_adds_methods(tmp_path: Path) -> None:
    settings = of_file(
        tmp_path,
        f"{DEBIT}dispute_retention_days = 400\n[payment_methods.sepa_debit.costs]\n"
        'dispute_fee_usd = 5\n[payment_methods.boleto]\nactions = ["allow", "block"]\n'
        'card_fields = ["card_country"]\n',
    )
    debit = method_of(settings.payment_methods, "sepa_debit")
    assert (debit.label_horizon_days, debit.dispute_retention_days) == (60.0, 400.0)
    assert debit.costs == {"dispute_fee_usd": 5.0}
    assert debit.aliases == METHODS[0].aliases
    boleto = method_of(settings.payment_methods, "Boleto")
    assert boleto.actions == ("allow", "block")
    assert boleto.card_fields == ("card_country",)
    assert boleto.label_horizon_days is None
    card = method_of(settings.payment_methods, "Mastercard")
    assert (card.name, card.card_fields) == ("card", CARD_FIELDS)
    assert settings.payment_methods[1:3] == METHODS[1:]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("payment_methods = 1", "expected a table of methods, got 1"),
        ("[payment_methods]\nsepa_debit = 1", "sepa_debit: expected a table, got 1"),
        (f"{DEBIT}horizon = 1", "sepa_debit: object contains unknown field `horizon`"),
        (f"{DEBIT}name = 'a'", "sepa_debit.name: cannot be set"),
        (f"{DEBIT}label_horizon_days = 0", "sepa_debit.label_horizon_days: expected `float` > 0"),
        (f"{DEBIT}label_horizon_days = '9'", "sepa_debit.label_horizon_days: expected `float"),
        (f"{DEBIT}dispute_retention_days = 501", "sepa_debit.dispute_retention_days: expected"),
        (f"{DEBIT}dispute_retention_days = 59.5", "at least its label horizon (60), got 59.5"),
        (f"{DEBIT}actions = ['allow']", "sepa_debit.actions: expected block among them"),
        (f"{DEBIT}actions = ['ask']", "sepa_debit.actions[0]: invalid enum value 'ask'"),
        (f"{DEBIT}card_fields = ['cvc']", "sepa_debit.card_fields[0]: invalid enum value 'cvc'"),
        (f"{DEBIT}costs = {{fee = 1}}", "sepa_debit.costs.fee: there is no such cost"),
        (
            f"{DEBIT}costs = {{margin_share = 2}}",
            "sepa_debit.costs.margin_share: expected a number",
        ),
        ("[payment_methods.card]\nactions = []", "card: is what the settings outside of this"),
        ("[payment_methods.visa]\nactions = []", "visa: is what the settings outside of this"),
        ("[payment_methods.ideal]\nactions = []", "ideal: is another name of bank_redirect"),
        ("[payment_methods.Klarna]\nactions = []", "'Klarna': expected lower case"),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        of_file(tmp_path, text)
    assert message in str(raised.value)
    assert "some.toml: payment_methods: " in str(raised.value)


def test_too_many_are_refused(tmp_path: Path) -> None:
    tables = "".join(f"[payment_methods.m{number}]\n" for number in range(30))
    with pytest.raises(SettingsError, match="33 methods: expected at most 32"):
        of_file(tmp_path, tables)


def test_a_longer_horizon_of_the_installation_needs_the_retention_of_every_method() -> None:
    with pytest.raises(ValueError, match="dispute_retention_days: expected at least"):
        Settings(label_horizon_days=200.0)
    assert Settings(label_horizon_days=180.0).payment_methods == METHODS
