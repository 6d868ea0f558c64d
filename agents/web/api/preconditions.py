"""Versions as entity tags: what a request was made from, and whether that is still there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from agents.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')


def entity_tag(version: int) -> str:
    """Return the entity tag of a version.

    >>> entity_tag(7)
    '"7"'
    """
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Precondition:
    """What has to be there for an edit (RFC 9110, section 13).

    Attributes
    ----------
    tags
        Of versions, one of which has to be there; `*` for any; `None` for no matter which.
    is_new
        Whether nothing may be there.

    Examples
    --------
    >>> Precondition.of({"if-match": '"6", "7"'}).check(7)
    >>> Precondition.of({"if-match": '"6"'}).check(7)
    Traceback (most recent call last):
    agents.web.problems.Problem: version 7 is there, and this was made from another: nothing \
was changed; look at what is there now, and make the change there
    """

    tags: frozenset[str] | None = None
    is_new: bool = False

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read it from the headers of a request; a weak tag matches nothing."""
        match = headers.get("if-match")
        tags = None
        if match is not None:
            found = _TAG.findall(match)
            tags = frozenset(
                {"*"} if match.strip() == "*" else {t for weak, t in found if not weak}
            )
        return cls(tags, headers.get("if-none-match", "").strip() == "*")

    def check(self, version: int) -> None:
        """Refuse what is there, in this version, 0 if nothing is.

        Raises
        ------
        Problem
            With status 412.
        """
        if self.is_new and version:
            raise _failed(f"version {version} is there already")
        if self.tags is None:
            return
        if "*" in self.tags:
            if not version:
                raise _failed("nothing is there yet")
        elif str(version) not in self.tags:
            there = f"version {version} is there" if version else "nothing is there"
            raise _failed(f"{there}, and this was made from another")


def _failed(what: str) -> Problem:
    return Problem(
        HTTPStatus.PRECONDITION_FAILED,
        f"{what}: nothing was changed; look at what is there now, and make the change there",
    )
