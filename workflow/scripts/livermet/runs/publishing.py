"""Put a complete set of deliverables where people read them: the old set or the new one, never a part of it.

The new set is built beside the old (hard links where the disk has them: no space, no time) and then takes its place,
name by name, in as many renames as there are names. A list of what is under way is written before the first of them;
whoever finds that list later, finishes (:func:`finish`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from livermet.errors import StorageError
from livermet.files.atomic import explain, sync_folder, write_whole
from livermet.files.records import Damage, compare, describe
from livermet.runs.owner import require_owner

STAGED = "steps/deliverables"  # below results/<study>: laid out by the steps as people will find it
WORK = "steps/publish_results"
MARKER = f"{WORK}/published.json"

Record = dict[str, list[int | str]]


def publish(files: Iterable[str | Path], results: str | Path) -> Record:
    """Publish files together.

    Parameters
    ----------
    files
        Every deliverable, below `steps/deliverables`; all of them are there.
    results
        Folder of the study, which people read.

    Returns
    -------
    dict
        Path relative to `results` -> fingerprint of what was published.

    Raises
    ------
    StorageError
        Where the disk does not allow it; what was published before is as it was.
    """
    results = Path(results)
    staged, work = results / STAGED, results / WORK
    finish(results)
    names = sorted(str(Path(file).relative_to(staged)) for file in files)
    new = work / "new"
    try:
        _forget(work)
        for name in names:
            _put(staged / name, new / name)
        known = describe(new / name for name in names)
        published = {str(Path(path).relative_to(new)): one for path, one in known.items()}
        _keep_foreign(results, new, _known(work))
        for folder, _, _ in os.walk(new):
            sync_folder(Path(folder))
    except (OSError, MemoryError) as error:
        raise explain(error, new) or error from None
    require_owner()
    _write(work / "switch.json", {"names": sorted(one.name for one in new.iterdir()), "published": published})
    finish(results)
    return published


def finish(results: Path) -> bool:
    """Finish a switch that was begun; does nothing where none is under way.

    Returns
    -------
    bool
        Whether there was something to finish.
    """
    work = results / WORK
    journal = work / "switch.json"
    if not journal.is_file():
        return False
    begun = json.loads(journal.read_text(encoding="utf-8"))
    try:
        for name in begun["names"]:
            _switch(work / "new" / name, results / name, work / "old" / name)
        sync_folder(results)
        _write(work / "set.json", begun["published"])
        journal.unlink()
        _forget(work)
    except OSError as error:
        raise explain(error, results) or error from None
    return True


def find_altered(results: Path) -> list[Damage]:
    """Deliverables that are missing or not what was published last."""
    known = _known(results / WORK)
    missing = [Damage(results / name, "is missing") for name in known if not (results / name).is_file()]
    return missing + compare({str(results / name): one for name, one in known.items()})


def _switch(new: Path, target: Path, old: Path) -> None:
    if not new.exists():
        return  # it has its place already
    if target.is_dir() or new.is_dir():
        # A folder cannot be replaced by another in one call: for the time between two renames the name is gone.
        if target.exists():
            old.parent.mkdir(parents=True, exist_ok=True)
            target.replace(old)
        new.replace(target)
    else:
        new.replace(target)


def _put(source: Path, target: Path) -> None:
    if not source.is_file():
        raise StorageError.of(str(source), "is missing", remedy="Run the same command again: it will be made")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a disk without hard links
        shutil.copy2(source, target)


def _keep_foreign(results: Path, new: Path, known: Mapping[str, object]) -> None:
    """What a user has put into a folder of ours stays there; what was published before and is no more, goes."""
    for folder in [one for one in new.iterdir() if one.is_dir()]:
        here = results / folder.name
        for file in sorted(one for one in here.rglob("*") if one.is_file()):
            name = file.relative_to(results)
            if str(name) not in known and not (new / name).exists():
                _put(file, new / name)


def _known(work: Path) -> Record:
    try:
        known: Record = json.loads((work / "set.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _forget(work: Path) -> None:
    for name in ("new", "old"):
        shutil.rmtree(work / name, ignore_errors=True)


def _write(path: Path, content: object) -> None:
    text = json.dumps(content, indent=1) + "\n"
    write_whole(path, lambda partial: _write_text(partial, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
