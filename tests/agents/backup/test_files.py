"""Files of records: what is written comes back, and what was changed does not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from agents.backup.files import BackupError, check_file, read_records, write_records
from agents.backup.manifest import FORM, MANIFEST, Manifest, Task, read_manifest, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20261130


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    sizes = [0, 1, 7, 1 << 20, *(rng.randrange(5000) for _ in range(300))]
    records = [(rng.randbytes(rng.randrange(40)), rng.randbytes(size)) for size in sizes]
    file = write_records(tmp_path, "a.zst", records)
    assert file.records == len(records)
    check_file(tmp_path, file)
    assert list(read_records(tmp_path, file)) == records
    assert list(read_records(tmp_path, write_records(tmp_path, "none.zst", []))) == []
    with pytest.raises(BackupError, match=r"a\.zst: File exists"):
        write_records(tmp_path, "a.zst", [])


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    file = write_records(tmp_path, "a.zst", [(b"key", b"value")])
    path = tmp_path / "a.zst"
    whole = path.read_bytes()
    for changed in (whole[:-1], whole + b"\0", bytes([whole[0] ^ 1]) + whole[1:]):
        path.write_bytes(changed)
        with pytest.raises(BackupError, match="it was changed or is torn"):
            check_file(tmp_path, file)
    path.unlink()
    with pytest.raises(BackupError, match="No such file"):
        check_file(tmp_path, file)


def test_a_directory_without_its_manifest_is_no_backup(tmp_path: Path) -> None:
    file = write_records(tmp_path, "a.zst", [(b"key", b"value")])
    with pytest.raises(BackupError, match="no backup, or one that was not finished"):
        read_manifest(tmp_path)
    manifest = Manifest(FORM, "1.0", 1.5, {"rules": file}, [Task(file, {"charges": "0a"})])
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    page = tmp_path / MANIFEST
    page.write_text(page.read_text().replace('"form": 1', '"form": 2'))
    with pytest.raises(BackupError, match="form 2, and this version reads 1"):
        read_manifest(tmp_path)
    page.write_text("{")
    with pytest.raises(BackupError, match=r"manifest\.json: "):
        read_manifest(tmp_path)
