"""Another version of the program: as the history has it."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
PROGRAM: Final = ("agents", "deploy", "schemas", "streams")

BEFORE_LAYOUTS: Final = "e3ff93e1d5935dbbbe617ae1d4ef4574ba5bec9e"
"""The last commit that wrote records without a head: in the layouts of the first release."""


class HistoryError(RuntimeError):
    """The history at hand does not have a revision."""


def checkout(revision: str, directory: Path) -> Path:
    """Write the program as it was at a revision into a directory.

    Raises
    ------
    HistoryError
        When there is no git, no history, or a shallow one without the revision.
    """
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "--", *PROGRAM]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise HistoryError(f"git is not here, so revision {revision} cannot be had") from None
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace").strip()
        raise HistoryError(
            f"revision {revision} is not in the history of this checkout ({why}): "
            "`git fetch --unshallow` brings a whole one"
        ) from None
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(directory, filter="data")
    return directory
