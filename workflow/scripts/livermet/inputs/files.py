"""Which files make up an input, and which format it is: by name alone, for inputs may not have been made yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from livermet.errors import InputError, Problem

Format = Literal["10x folder", "10x h5", "h5ad", "table"]

MATRIX, BARCODES, FEATURES, GENES = "matrix.mtx", "barcodes.tsv", "features.tsv", "genes.tsv"
V3_NAMES = (f"{MATRIX}.gz", f"{BARCODES}.gz", f"{FEATURES}.gz")
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
MATRIX_FILE = re.compile(r"(?P<prefix>.*?)(?P<name>matrix)?\.mtx(?:\.gz)?", re.IGNORECASE | re.DOTALL)
EXPECTED = (
    "a folder with matrix.mtx, barcodes.tsv and features.tsv or genes.tsv (each with or without .gz), the .mtx of such a "
    "folder, a 10x .h5, an .h5ad, or a .csv/.tsv table (with or without .gz)"
)
ANEW = "Copy or download the file anew and compare its checksum"


def file_format(path: str | Path) -> Format | None:
    """Format of an input by its name, None where it has none that is known.

    A name without a known ending is a folder unless a file of that name is there. A matrix.mtx stands for itself and the
    two files of names beside it.
    """
    path = Path(path)
    name = path.name.lower()
    if path.is_dir() or name.endswith((".mtx", ".mtx.gz")):
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
        For a folder or a matrix.mtx: matrix, barcodes, features (also under the names that repositories give them, with a
        prefix), in this order; what is lacking stands there under its Cell Ranger 3 name. For anything else, the path
        itself.

    Raises
    ------
    InputError
        Where a folder holds several matrices, or names of another sample than its matrix.
    """
    path = Path(path)
    if file_format(path) != "10x folder":
        return [str(path)]
    if (named := MATRIX_FILE.fullmatch(path.name)) and not path.is_dir():
        prefixes = [named["prefix"]] if named["name"] else [f"{named['prefix']}{mark}" for mark in "_.-"]
        return [str(path), *(str(_beside(path.parent, prefixes, names)) for names in ((BARCODES,), (FEATURES, GENES)))]
    if not path.is_dir():
        return [str(path / name) for name in V3_NAMES]
    matrix = _one_of(path, (MATRIX,))
    others = [_one_of(path, names, matrix.name) for names in ((BARCODES,), (FEATURES, GENES))]
    return [str(item) for item in (matrix, *others)]


def _beside(folder: Path, prefixes: list[str], names: tuple[str, ...]) -> Path:
    """The file of names that goes with a matrix of this prefix."""
    candidates = [folder / f"{prefix}{name}{end}" for prefix in prefixes for name in names for end in (".gz", "")]
    return next((item for item in candidates if item.is_file()), candidates[0])


def _one_of(folder: Path, names: tuple[str, ...], matrix: str = "") -> Path:
    """The file of a folder that goes by one of these names; an exact name before a prefixed one."""
    endings = tuple(f"{name}{suffix}" for name in names for suffix in (".gz", ""))
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(endings) and item.name[0] != ".")
    exact = [name for name in endings if name in found]
    several = (
        len(found) > 1 if not matrix else len(exact) > 1 and len({name.removesuffix(".gz") for name in exact}) == 1
    )
    if several or (not exact and len(found) > 1):
        remedy = "Give each sample a folder of its own, or name the matrix itself as the path"
        both = ", ".join(found[:4])
        raise InputError(
            Problem(
                str(folder),
                f"{len(found)} files end with {endings[-1]} or {endings[-1]}.gz: {both}",
                "the matrix of one sample",
                f"{remedy}, such as {folder / found[0]}" if not matrix else "Leave the one that belongs to the matrix",
            )
        )
    if exact or not found:
        return folder / (exact[0] if exact else f"{names[0]}.gz")
    named = MATRIX_FILE.fullmatch(matrix)
    if named and named["prefix"] and not found[0].startswith(named["prefix"]):
        raise InputError(
            Problem(
                str(folder),
                f"{found[0]} beside {matrix}",
                f"the names of this very matrix, such as {named['prefix']}{endings[0]}",
                "Take the three files from the same sample",
            )
        )
    return folder / found[0]


def what_is(head: bytes) -> str:
    """What a file is by its first bytes, in words; "" where they do not tell."""
    kinds = {
        b"\x1f\x8b": "gzip",
        b"PK\x03\x04": "a zip archive or an Excel workbook",
        b"\xd0\xcf\x11\xe0": "an Excel workbook",
        b"\x89HDF": "HDF5",
        b"BZh": "bzip2",
        b"\xfd7zXZ": "xz",
        b"(\xb5/\xfd": "zstd",
        b"%PDF": "a PDF",
        b"RDX": "an R object",
        b"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
    }
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text[:1] == b"<":
        return "a web page or XML"
    return next((kind for mark, kind in kinds.items() if head.startswith(mark)), "a tar archive" * (b"ustar" in head))


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what the libraries say of a broken file into words for its owner."""
    import gzip
    import zlib

    try:
        yield
    except FileNotFoundError:
        raise InputError(Problem(str(path), "no such file", EXPECTED)) from None
    except PermissionError:
        raise InputError(Problem(str(path), "may not be read", "a readable file", "Mend its permissions")) from None
    except EOFError:
        raise InputError(Problem(str(path), "the file is cut short", "a whole gzip file", ANEW)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(Problem(str(path), f"not a sound gzip file ({error})", "a .gz file", ANEW)) from None
    except UnicodeDecodeError:
        raise InputError(Problem(str(path), "not text", "UTF-8 text", ANEW)) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error})", "a whole file", ANEW)) from None
