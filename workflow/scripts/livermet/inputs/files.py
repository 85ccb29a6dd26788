"""Which files make up an input, and which format it is: by name alone, for inputs may not have been made yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from livermet.errors import InputError, Problem

Format = Literal["10x folder", "10x h5", "h5ad", "table"]

MATRIX, BARCODES, FEATURES, GENES = "matrix.mtx", "barcodes.tsv", "features.tsv", "genes.tsv"
V3_NAMES = (f"{MATRIX}.gz", f"{BARCODES}.gz", f"{FEATURES}.gz")
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
EXPECTED = (
    "a folder with matrix.mtx, barcodes.tsv and features.tsv or genes.tsv (each with or without .gz), a 10x .h5, "
    "an .h5ad, or a .csv/.tsv table (with or without .gz)"
)


def file_format(path: str | Path) -> Format | None:
    """Format of an input by its name, None where it has none that is known.

    A name without a known ending is a folder unless a file of that name is there.
    """
    path = Path(path)
    name = path.name.lower()
    if path.is_dir():
        return "10x folder"
    if name.endswith((".h5", ".hdf5")):
        return "10x h5"
    if name.endswith(".h5ad"):
        return "h5ad"
    if name.endswith(TABLE_ENDINGS):
        return "table"
    return None if path.exists() else "10x folder"


def find_files(path: str | Path) -> list[str]:
    """Files that make up the input at a path.

    Parameters
    ----------
    path
        A folder or a file; it need not exist yet, as the demo's inputs do not.

    Returns
    -------
    list of str
        For a folder: matrix, barcodes, features (also under the names that repositories give them, with a prefix), in
        this order; what a folder lacks stands there under its Cell Ranger 3 name. For anything else, the path itself.
    """
    path = Path(path)
    if file_format(path) != "10x folder":
        return [str(path)]
    if not path.is_dir():
        return [str(path / name) for name in V3_NAMES]
    return [
        str(item) for item in (_one_of(path, (MATRIX,)), _one_of(path, (BARCODES,)), _one_of(path, (FEATURES, GENES)))
    ]


def _one_of(folder: Path, names: tuple[str, ...]) -> Path:
    """The file of a folder that goes by one of these names; exact names before prefixed ones, .gz before plain."""
    endings = [f"{name}{suffix}" for name in names for suffix in (".gz", "")]
    for ending in endings:
        if (folder / ending).is_file():
            return folder / ending
    for ending in endings:
        prefixed = sorted(item for item in folder.glob(f"*{ending}") if not item.name.startswith("."))
        if len(prefixed) > 1:
            raise InputError(
                Problem(
                    str(folder),
                    f"{len(prefixed)} files end with {ending}: {', '.join(item.name for item in prefixed[:4])}",
                    "the matrix of one sample",
                    "Give each sample a folder of its own",
                )
            )
        if prefixed:
            return prefixed[0]
    return folder / f"{names[0]}.gz"


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what the libraries say of a broken file into words for its owner."""
    import gzip
    import zlib

    remedy = "Copy or download the file anew and compare its checksum"
    try:
        yield
    except FileNotFoundError:
        raise InputError(Problem(str(path), "no such file", EXPECTED)) from None
    except PermissionError:
        raise InputError(Problem(str(path), "may not be read", "a readable file", "Mend its permissions")) from None
    except EOFError:
        raise InputError(Problem(str(path), "the file is cut short", "a whole gzip file", remedy)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(Problem(str(path), f"not a sound gzip file ({error})", "a .gz file", remedy)) from None
    except UnicodeDecodeError:
        raise InputError(Problem(str(path), "not text", "UTF-8 text", remedy)) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error})", "a whole file", remedy)) from None
