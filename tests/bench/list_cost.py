"""What named lists cost: memory, loading, one entry more, and looking values up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

from agents.policy.lists import NamedLists
from schemas.lists import ListEntry
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from agents.policy.lists import NamedList
    from agents.rules.columns import Kind

ENTRIES = 1_000_000
BATCHES = (12, 4_000)
_BEFORE_MERGE, _CHANGES = 60_000, 5_000
_LOOKUPS, _KNOWN_EVERY, _SEED = 300, 10, 5
_KINDS: Final[dict[str, Kind]] = {
    "tokens": "text", "numbers": "number", "IPv4": "text"
}  # fmt: skip
_DTYPES: Final = {"text": np.uint64, "number": np.float64}
_FORMS: Final = {"tokens": "tok_{:016x}", "numbers": "{}"}


def resident_mb() -> float:
    """Return what memory this process has, in 10^6 bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - it is no file
        return int(file.read().split()[1]) * 4096 / 1e6


def value(form: str, number: int) -> str:
    """Return a value of a form; each number makes another."""
    if form == "IPv4":
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return _FORMS[form].format(number)


def entries(form: str, start: int, stop: int) -> Iterator[ListEntry]:
    """Make the entries one by one, as a consumer would."""
    for number in range(start, stop):
        yield ListEntry(list="list", value=value(form, number), start=1.0, at=1.0, version=1)


def loaded(form: str) -> tuple[NamedLists, float, float]:
    """Return a list, how long it took, and how much memory it has taken."""
    before, began = resident_mb(), time.process_time()
    lists = NamedLists()
    lists.take(entries(form, 0, ENTRIES))
    return lists, time.process_time() - began, resident_mb() - before


def one_more(lists: NamedLists, form: str) -> tuple[float, float]:
    """Return milliseconds for one entry more: of most, and of the one for which all are merged."""
    nearly = ENTRIES + _BEFORE_MERGE
    lists.take(entries(form, ENTRIES, nearly))
    took = []
    for entry in entries(form, nearly, nearly + _CHANGES):
        began = time.process_time()
        lists.take([entry])
        took.append(1e3 * (time.process_time() - began))
    return float(np.median(took)), max(took)


def lookup(lists: NamedLists, form: str, size: int) -> float:
    """Return microseconds for a batch, of which one value in ten is on the list."""
    rng = np.random.default_rng(_SEED)
    batches = []
    for _ in range(_LOOKUPS):
        numbers = rng.integers(0, ENTRIES * _KNOWN_EVERY, size).tolist()
        hashes = [hash_of(value(form, number)) for number in numbers]
        batches.append(np.array(numbers if form == "numbers" else hashes, _DTYPES[_KINDS[form]]))
    return _median_us(lists["list"], batches, _KINDS[form])


def addresses(lists: NamedLists, size: int) -> tuple[float, float]:
    """Return microseconds for a batch of addresses, and for one of tokens."""
    rng = np.random.default_rng(_SEED)
    known = [(10 << 24) + rng.integers(0, 1 << 24, size, np.uint64) for _ in range(_LOOKUPS)]
    tokens = [np.zeros(size, np.uint64)] * _LOOKUPS
    return _median_us(lists["list"], known, "address"), _median_us(lists["list"], tokens, "address")


def _median_us(of_list: NamedList, batches: list[NDArray[Any]], kind: Kind) -> float:
    took = []
    for batch in batches:
        times = np.full(len(batch), 5.0)
        began = time.perf_counter()
        of_list.contains(batch, times, kind)
        took.append(1e6 * (time.perf_counter() - began))
    return float(np.median(took))


@click.command()
@click.argument("form", type=click.Choice(list(_KINDS)))
def main(form: str) -> None:
    """Measure a list of entries of one form; each in a process of its own, for its memory."""
    lists, load_s, memory_mb = loaded(form)
    click.echo(f"{form}: loaded in {load_s:.1f} s, {memory_mb:.0f} MB")
    for size in BATCHES:
        click.echo(f"  {size:,} looked up: {lookup(lists, form, size):.0f} us")
        if form == "IPv4":
            known, tokens = addresses(lists, size)
            click.echo(f"  {size:,} addresses: {known:.0f} us, tokens {tokens:.0f} us")
    most, slowest = one_more(lists, form)
    click.echo(f"  one more: {most:.3f} ms, the slowest of {_CHANGES:,} {slowest:.1f} ms")


if __name__ == "__main__":
    main()
