"""What writing an h5ad may do to the process that writes."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from livermet.files import formats


@pytest.fixture
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is asked for at the end of the process; the hooks are put back."""
    asked: list[object] = []
    monkeypatch.setattr(formats.atexit, "register", asked.append)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    return asked


def test_content_that_cannot_be_written_leaves_the_process_alone(tmp_path: Path, at_exit: list[object]) -> None:
    """A notebook that catches the error must end as it would have."""
    obs = pd.DataFrame(index=pd.Index(pd.array(["c1", "c2"], dtype="string")))
    content = anndata.AnnData(np.ones((2, 2), dtype=np.float32), obs=obs)
    hooks = sys.excepthook, sys.unraisablehook
    with pytest.raises(RuntimeError, match="nullable"):
        formats.save(content, tmp_path / "cells.h5ad")
    assert at_exit == []
    assert (sys.excepthook, sys.unraisablehook) == hooks
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_process_before_hdf5_crashes_it(
    tmp_path: Path, at_exit: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    content = anndata.AnnData(np.ones((2, 2), dtype=np.float32))
    monkeypatch.setattr(anndata.AnnData, "write_h5ad", full)
    with pytest.raises(formats.StorageError, match="no space is left"):
        formats.save(content, tmp_path / "cells.h5ad")
    assert len(at_exit) == 1
