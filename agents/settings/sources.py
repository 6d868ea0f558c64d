"""Where settings are read from, and the check of them: flags, the environment, and a file."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types

from agents.settings.costs import Costs
from agents.settings.methods import methods_in
from agents.settings.schema import (
    COST_FIELDS,
    COSTS,
    FIELDS,
    PAYMENT_METHODS,
    SIGNALS,
    Settings,
)
from schemas.currency import RatesError, read_rates
from schemas.method_table import METHODS, MethodError, PaymentMethod
from schemas.signals import Signal, SignalError, signals_of
from streams.mapping.mapping import KEY_VARIABLE

DEFAULT_FILE = Path("chargewatch.toml")
FILE_VARIABLE = "CHARGEWATCH_CONFIG"
_NO_SETTINGS = (FILE_VARIABLE, KEY_VARIABLE)
KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"

_PREFIX = "CHARGEWATCH_"
_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}
"""Beside true, false, 1 and 0."""


class SettingsError(ValueError):
    """A setting is wrong or unknown; the message names it where it was set."""


class _Given:
    """The settings found so far, and what the user calls each of them."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.costs: dict[str, float] = {}
        self.signals: tuple[Signal, ...] = ()
        self.methods: tuple[PaymentMethod, ...] = METHODS
        self.labels: dict[str, str] = {}

    def set(self, name: str, label: str, value: object, *, is_text: bool) -> None:
        """Take a setting; a later one wins."""
        if name not in FIELDS:
            raise SettingsError(f"{label}: there is no such setting")
        field = types.type_info(FIELDS[name].type)
        try:
            converted = msgspec.convert(
                _read(value, field), FIELDS[name].type, strict=not is_text, dec_hook=_path
            )
        except msgspec.ValidationError:
            converted = None
        if converted is None or (isinstance(converted, float) and not math.isfinite(converted)):
            got = "something else" if _is_secret(field) else repr(value)
            raise SettingsError(f"{label}: expected {expected(field)}, got {got}")
        self.values[name] = converted
        self.labels[name] = label

    def set_cost(self, name: str, label: str, value: object, *, is_text: bool) -> None:
        """Take an entry of the cost table; a later one wins."""
        if name not in COST_FIELDS:
            raise SettingsError(f"{label}: there is no such setting")
        try:
            cost = msgspec.convert(value, float, strict=not is_text)
        except msgspec.ValidationError:
            raise SettingsError(f"{label}: expected a number, got {value!r}") from None
        try:
            Costs(**{name: cost})
        except ValueError as error:
            raise SettingsError(f"{label}{str(error).removeprefix(name)}") from None
        self.costs[name] = cost

    def set_signals(self, label: str, table: object) -> None:
        """Take all signals; a later table takes the place of an earlier one."""
        if not isinstance(table, dict):
            raise SettingsError(f"{label}: expected a table of fields, got {table!r}")
        try:
            self.signals = signals_of(table)
        except SignalError as error:
            raise SettingsError(f"{label}: {error}") from None

    def set_methods(self, label: str, table: object) -> None:
        """Take what is other than in the table of payment methods that is known."""
        try:
            self.methods = methods_in(table)
        except MethodError as error:
            raise SettingsError(f"{label}: {error}") from None
        self.labels[PAYMENT_METHODS] = label

    def settings(self) -> Settings:
        """Put the settings together."""
        try:
            settings = Settings(
                **self.values,
                costs=Costs(**self.costs),
                signals=self.signals,
                payment_methods=self.methods,
            )
        except ValueError as error:
            name, _, reason = str(error).partition(":")
            raise SettingsError(f"{self.labels.get(name, name)}:{reason}") from None
        if settings.currency_rates:
            self._check_rates(settings.currency_rates)
        return settings

    def _check_rates(self, file: str) -> None:
        try:
            read_rates(Path(file))
        except RatesError as error:
            raise SettingsError(f"{self.labels['currency_rates']}: {error}") from None


def load_settings(
    flags: Mapping[str, object], env: Mapping[str, str], file: Path | None = None
) -> Settings:
    """Read the settings: a flag beats the environment, the environment beats the file.

    Parameters
    ----------
    flags
        Settings by their names; None for one that was not given.
    env
        The environment. A setting's variable is its name in capitals after ``CHARGEWATCH_``, that
        of a cost after ``CHARGEWATCH_COSTS_``; signals are ``CHARGEWATCH_SIGNALS``, as
        ``ip_risk=number,shop=category``; the brokers' is ``KAFKA_BOOTSTRAP_SERVERS``. Empty
        variables count as unset.
    file
        A TOML file with the settings' names, those of costs in a table ``[costs]``, and signals in
        one ``[signals]``. None for the one that ``CHARGEWATCH_CONFIG`` names, or else
        ``chargewatch.toml`` here if there is one. Payment methods are in one table each,
        ``[payment_methods.NAME]``, and nowhere else.

    Raises
    ------
    SettingsError
        Names the first setting that is wrong or unknown, as the user wrote it.

    Examples
    --------
    >>> env = {"CHARGEWATCH_MAX_BATCH": "100", "CHARGEWATCH_COSTS_DISPUTE_FEE_USD": "20"}
    >>> settings = load_settings({"max_batch": "200", "web_port": None}, env)
    >>> settings.max_batch, settings.costs.dispute_fee_usd
    (200, 20.0)
    >>> load_settings({}, {"CHARGEWATCH_WEB_PORT": "http"})
    Traceback (most recent call last):
    agents.settings.sources.SettingsError: CHARGEWATCH_WEB_PORT: expected an integer from 0 \
to 65535, got 'http'
    """
    given = _Given()
    _take_file(given, file or _configured_file(env))
    _take_environment(given, env)
    for name, value in flags.items():
        if value is not None:
            given.set(name, flag(name), value, is_text=isinstance(value, str))
    return given.settings()


def flag(name: str) -> str:
    """Return the option of a setting on the command line.

    >>> flag("web_port")
    '--web-port'
    """
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Return the environment variable of a setting, or of a cost as ``costs.<name>``.

    >>> variable("costs.dispute_fee_usd")
    'CHARGEWATCH_COSTS_DISPUTE_FEE_USD'
    """
    if name == "bootstrap_servers":
        return KAFKA_VARIABLE
    return _PREFIX + name.replace(".", "_").upper()


def expected(type_: types.Type) -> str:
    """Say what a setting may be.

    >>> expected(types.type_info(FIELDS["negative_rate"].type))
    'a number above 0 and up to 1'
    """
    match type_:
        case types.Metadata(type=inner, extra=extra):
            return extra["expected"] if extra else expected(inner)
        case types.IntType(ge=low, le=high):
            return f"an integer {_from(low, None, high)}"
        case types.FloatType(ge=low, gt=above, le=high):
            return f"a number {_from(low, above, high)}"
        case types.BoolType():
            return "on or off"
        case types.LiteralType(values=values):
            return " or ".join(str(value) for value in values)
        case _:
            return "text"


def _is_secret(type_: types.Type) -> bool:
    return isinstance(type_, types.Metadata) and bool((type_.extra or {}).get("is_secret"))


def _from(low: float | None, above: float | None, high: float | None) -> str:
    if above is not None:
        return f"above {above:g}" + (f" and up to {high:g}" if high is not None else "")
    assert low is not None, "every numeric setting has a least value"
    return f"from {low:g} to {high:.0f}" if high is not None else f"of {low:g} or more"


def _read(value: object, type_: types.Type) -> object:
    """Return the parts of a text between commas where a list is expected, and a switch's state."""
    inner = type_.type if isinstance(type_, types.Metadata) else type_
    if isinstance(value, str) and isinstance(inner, types.VarTupleType):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str) and isinstance(inner, types.BoolType):
        return _SWITCHES.get(value.lower(), value)
    return value


def _path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise TypeError


def _configured_file(env: Mapping[str, str]) -> Path | None:
    if configured := env.get(FILE_VARIABLE):
        return Path(configured)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _take_file(given: _Given, file: Path | None) -> None:
    if file is None:
        return
    for name, value in _parse(file).items():
        if name == COSTS and isinstance(value, dict):
            for cost, amount in value.items():
                given.set_cost(cost, f"{file}: {COSTS}.{cost}", amount, is_text=False)
        elif name == SIGNALS:
            given.set_signals(f"{file}: {SIGNALS}", value)
        elif name == PAYMENT_METHODS:
            given.set_methods(f"{file}: {PAYMENT_METHODS}", value)
        else:
            given.set(name, f"{file}: {name}", value, is_text=False)


def _parse(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None


def _take_environment(given: _Given, env: Mapping[str, str]) -> None:
    for name, value in _variables(env):
        label = variable(name)
        if name.startswith(f"{COSTS}."):
            given.set_cost(name.removeprefix(f"{COSTS}."), label, value, is_text=True)
        elif name == SIGNALS:
            given.set_signals(label, _signals_in(value))
        else:
            given.set(name, label, value, is_text=True)


def _signals_in(text: str) -> dict[str, object]:
    """Return the table that a text says.

    >>> _signals_in("ip_risk=number, shop = category")
    {'ip_risk': 'number', 'shop': 'category'}
    """
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): kind.strip() for name, _, kind in pairs}


def _variables(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the settings that the environment has, by name."""
    if servers := env.get(KAFKA_VARIABLE):
        yield "bootstrap_servers", servers
    for name, value in env.items():
        if not name.startswith(_PREFIX) or name in _NO_SETTINGS or not value:
            continue
        if name == variable("BOOTSTRAP_SERVERS"):
            raise SettingsError(f"{name}: there is no such setting; it is {KAFKA_VARIABLE}")
        setting = name.removeprefix(_PREFIX).lower()
        is_cost = setting.startswith(f"{COSTS}_")
        yield setting.replace("_", ".", 1) if is_cost else setting, value


def describe(name: str) -> str:
    """Say what a setting is.

    >>> describe("web_port")
    "port of a worker's web server; 0 for a free one"
    """
    info = types.type_info(FIELDS[name].type)
    assert isinstance(info, types.Metadata), "every setting has a description"
    assert info.extra_json_schema is not None
    return str(info.extra_json_schema["description"])
