"""Other versions are had as they should be, or it is said why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upgrade import later_version
from tests.upgrade.checkout import HistoryError, checkout

if TYPE_CHECKING:
    from pathlib import Path


def test_a_revision_that_the_history_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="0000000 is not in the history of this checkout"):
        checkout("0000000", tmp_path)


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HistoryError, match="git is not here"):
        checkout("HEAD", tmp_path)


@pytest.mark.parametrize("old", ["no such text", "import"])
def test_a_text_to_be_replaced_has_to_be_there_once(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = later_version.Edit("streams/features/windows.py", old, "")
    monkeypatch.setattr(later_version, "EDITS", (*later_version.EDITS, edit))
    with pytest.raises(AssertionError, match="does not have just once"):
        later_version.later_version(tmp_path)
