"""A bundle as a zip file, a page for each question."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec

from agents.support import contents
from agents.support.scrubbing import scrubbed_line
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agents.settings.schema import Settings
    from streams.kafka.config import Admin
    from streams.kafka.topics import Topics


class BundleError(OperationalError):
    """A bundle that cannot be written."""


def write_bundle(
    file: Path,
    settings: Settings,
    env: Mapping[str, str],
    admin: Admin,
    topics: Topics,
    log: Path | None,
    metrics_url: str,
) -> list[str]:
    """Write a bundle that nobody else may read.

    Parameters
    ----------
    file
        The zip file, which must not be there.
    settings, env
        Of the installation, and the variables that its clients have.
    admin, topics
        Of its cluster.
    log
        Of a process, `None` for none.
    metrics_url
        Where a process tells of itself.

    Returns
    -------
    list
        What is missing, and why.

    Raises
    ------
    BundleError
        When it cannot be written.
    """
    group = settings.group_id
    pages: dict[str, Callable[[], Any]] = {
        "about.json": contents.about,
        "settings.json": lambda: contents.settings_page(settings, env),
        "topics.json": lambda: contents.topics_page(admin, topics),
        "group.json": lambda: contents.group_page(admin, topics, group),
        "state.json": lambda: contents.state_page(settings),
        "metrics.txt": lambda: contents.metrics_page(metrics_url),
    }
    if log is not None:
        pages["log.txt"] = lambda: contents.log_lines(log)
    missing = []
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened, zipfile.ZipFile(opened, "w") as bundle:
            for name, page in pages.items():
                text, problem = _text(page)
                bundle.writestr(name, text, zipfile.ZIP_DEFLATED)
                if problem:
                    missing.append(f"{name}: {problem}")
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}") from None
    return missing


def _text(page: Callable[[], Any]) -> tuple[str, str]:
    """Return a page as text, and why it is missing: whatever is wrong, the others are wanted."""
    try:
        made = page()
    except Exception as error:
        why = scrubbed_line(f"{type(error).__name__}: {error}", contents.known_names())
        return f"not there: {why}\n", why
    return (
        made if isinstance(made, str) else msgspec.json.format(msgspec.json.encode(made)).decode()
    ), ""
