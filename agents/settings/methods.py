"""Payment methods among the settings: what is checked of them beside their own types."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from agents.settings.costs import Costs
from schemas.method_table import MethodError, PaymentMethod, methods_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COSTS = frozenset(field.name for field in fields(Costs))


def methods_in(table: object) -> tuple[PaymentMethod, ...]:
    """Return the methods that are known, as a table of the file changes them and adds to them.

    Raises
    ------
    MethodError
        When one of them cannot be.

    Examples
    --------
    >>> methods_in({"sepa_debit": {"costs": {"dispute_fee_usd": 8.0}}})[0].costs
    {'dispute_fee_usd': 8.0}
    >>> methods_in({"sepa_debit": {"costs": {"fee": 8.0}}})
    Traceback (most recent call last):
    schemas.method_table.MethodError: sepa_debit.costs.fee: there is no such cost
    """
    if not isinstance(table, dict):
        raise MethodError(f"expected a table of methods, got {table!r}")
    methods = methods_of(table)
    for method in methods:
        _check_costs(method.name, method.costs)
    return methods


def check_times(
    methods: Sequence[PaymentMethod], label_horizon_days: float, dispute_retention_days: float
) -> None:
    """Check that no charge is forgotten before its horizon, given the times of the installation.

    Raises
    ------
    ValueError
        When one would be; names the method.
    """
    for method in methods:
        horizon_days = method.label_horizon_days or label_horizon_days
        retention_days = method.dispute_retention_days or dispute_retention_days
        if retention_days < horizon_days:
            raise ValueError(
                f"payment_methods: {method.name}.dispute_retention_days: expected at least its "
                f"label horizon ({horizon_days:g}), got {retention_days:g}"
            )


def _check_costs(method: str, costs: Mapping[str, float]) -> None:
    for name in costs:
        if name not in _COSTS:
            raise MethodError(f"{method}.costs.{name}: there is no such cost")
    try:
        Costs(**costs)
    except ValueError as error:
        raise MethodError(f"{method}.costs.{error}") from None
