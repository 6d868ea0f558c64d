"""One rule: what it asks for, when, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from agents.rules.nodes import Condition

Action = Literal["allow_without_challenge", "allow", "block", "review", "challenge"]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    action
        What it asks for.
    condition
        When.
    is_shadow
        Whether it only tells that it matches.
    id, title
        From the comment that names it; empty where none does.
    line
        Where it stands in the text, counted from 1.

    Examples
    --------
    >>> from agents.rules.nodes import Attribute, Comparison, Number
    >>> print(Rule("block", Comparison(">", Attribute("score"), Number(0.5)), is_shadow=True))
    shadow block if :score: > 0.5
    """

    action: Action
    condition: Condition
    is_shadow: bool = False
    id: str = ""
    title: str = ""
    line: int = field(default=0, compare=False, repr=False)

    @property
    def label(self) -> str:
        """What it is called where it is told: its id, or a name that follows from what it says.

        It is the same in shadow and not: what was told of it before it is switched on stays its.
        """
        if self.id:
            return self.id
        said = f"{self.action} if {self.condition}".encode()
        return f"unnamed-{blake2b(said, digest_size=4).hexdigest()}"

    def __str__(self) -> str:
        """Return the rule on one line, in the one way it is written, without its comment."""
        shadow = "shadow " if self.is_shadow else ""
        return f"{shadow}{self.action} if {self.condition}"
