"""What rules ask of a batch of charges: its attributes as columns, and membership of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


Kind = Literal["text", "one_case", "number", "address"]
"""As what values are looked for on a list: texts as they are written, texts in the case of their
attribute however they are written on the list, numbers, and IP addresses in ranges."""


class Columns(Protocol):
    """Attributes of N charges, by their names; metadata by `::name::`.

    What is missing has a value of its own in each kind of column, as in rows of EVENT, so that no
    mask goes along. Metadata of another type than it is asked for is missing in that column.
    """

    def __len__(self) -> int: ...

    @property
    def times(self) -> NDArray[np.float64]:
        """When the charges were made, Unix seconds, f8[N]."""

    def numbers(self, keys: Sequence[str]) -> NDArray[np.float64]:
        """Return the values of numbers, f8[keys, N], NaN where one is missing."""

    def booleans(self, keys: Sequence[str]) -> NDArray[np.float64]:
        """Return 1 where one is true and 0 where it is false, f8[keys, N], NaN where missing."""

    def hashes(self, keys: Sequence[str]) -> NDArray[np.uint64]:
        """Return `streams.events.rows.hash_of` of texts, u8[keys, N], 0 where one is missing."""

    @property
    def addresses(self) -> NDArray[np.uint64]:
        """The numbers of IP addresses (`schemas.addresses`), u8[N], 0 where there is none."""

    def texts(self, key: str) -> Sequence[str | None]:
        """Return a text's values, N of them; only of one that has them."""


class MemberList(Protocol):
    """A named list as it was at any time."""

    def contains(
        self,
        values: NDArray[np.float64] | NDArray[np.uint64],
        times: NDArray[np.float64],
        kind: Kind,
    ) -> NDArray[np.bool_]:
        """Return which values were on it at which time, bool[N].

        Parameters
        ----------
        values
            The hashes of texts, u8[N], numbers, f8[N], or numbers of addresses, u8[N]. What is
            missing, 0 or NaN, gives anything.
        times
            Unix seconds, f8[N].
        kind
            What they are.
        """
