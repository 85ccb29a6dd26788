"""The counts as a 10x folder: files that are broken, do not fit each other, or are not what their names say."""

from __future__ import annotations

import gzip
import math
import shutil

import numpy as np
from scipy.io import mmread
from tests.robustness.case import Case, Good
from tests.robustness.formats import (
    BARCODES,
    FEATURES,
    MATRIX,
    entries,
    entry,
    header,
    lines,
    repack,
    same,
    truth,
    unchanged,
)
from tests.robustness.study import Opened, Study

HTML = b"<!DOCTYPE html><html><body>404</body></html>"


def rename(study: Study, *names: str) -> Study:
    """Files of sample a under other names: old, new, ... ("" leaves one out)."""
    for old, new in zip(names[::2], names[1::2], strict=True):
        (study.data / "a" / old).rename(study.data / "a" / new) if new else (study.data / "a" / old).unlink()
    return study


def prefixed(study: Study, prefix: str, folder: str = "geo", sample: str = "a") -> Study:
    """A sample's three files in a flat folder, as GEO names them; the sheet is left alone."""
    (study.data / folder).mkdir(exist_ok=True)
    for file in sorted((study.data / sample).iterdir()):
        shutil.move(file, study.data / folder / f"{prefix}{file.name}")
    return study


def unpacked(study: Study) -> Study:
    """Sample a without gzip."""
    for file in sorted((study.data / "a").iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    return study


def features(change: object) -> object:
    """A change of the columns of features.tsv.gz, row by row."""
    return lines(lambda rows: ["\t".join(change(row.split("\t"))) for row in rows])  # type: ignore[operator]


def soup_taken(study: Study) -> Study:
    """Sample a less up to half a molecule of each entry, at random."""
    rng = np.random.default_rng(1)
    return study.change(MATRIX, entries(lambda value, _: f"{value - 0.5 * rng.random():.4f}"))


def kept(opened: Opened) -> bool:
    """Whether every cell's rounded sum is within one of the sum of its fractions."""
    with gzip.open(opened.study.folder / MATRIX) as handle:
        fractions = np.asarray(mmread(handle).sum(axis=0)).ravel()
    return bool((np.abs(np.asarray(opened.read("a").X.sum(axis=1)).ravel() - fractions) < 1).all())


CASES = [
    # -- files that are not whole, or not what they say ------------------------------------------------------------
    Case("a matrix cut short", lambda s: s.change(MATRIX, lambda d: d[: len(d) // 2]), (MATRIX, "cut short"), reader="a",
         run=True, unwritten=("results/mine/steps/read_sample/a.h5ad",)),
    Case("a checksum that is wrong", lambda s: s.change(MATRIX, lambda d: d[:-8] + b"\0\0\0\0" + d[-4:]),
         (MATRIX, "not a sound gzip file (CRC check failed"), reader="a"),
    Case("a byte turned", lambda s: s.change(MATRIX, lambda d: d[:-3000] + bytes([d[-3000] ^ 255]) + d[-2999:]), MATRIX,
         reader="a"),
    Case("barcodes cut short", lambda s: s.change(BARCODES, lambda d: d[:-20]), (BARCODES, "cut short")),
    Case("a web page saved as .gz", lambda s: s.write(MATRIX, HTML), (MATRIX, "it is a web page", "login page")),
    Case("a web page, packed", lambda s: s.write(FEATURES, gzip.compress(HTML)), (FEATURES, "a web page or XML, packed")),
    Case("text that is called .gz", lambda s: s.change(BARCODES, gzip.decompress),
         (BARCODES, "it is no gzip", "drop .gz from its name")),
    Case("gzip that is not called .gz", lambda s: rename(s, "barcodes.tsv.gz", "barcodes.tsv"),
         ("barcodes.tsv: it is gzip", "Add .gz to its name")),
    Case("a workbook in place of the names", lambda s: s.write(FEATURES, gzip.compress(b"PK\x03\x04 xl/workbook.xml")),
         (FEATURES, "an Excel workbook", "Sept1 into dates")),
    Case("a pointer of Git LFS", lambda s: s.write(MATRIX, b"version https://git-lfs.github.com/spec/v1\n"),
         (MATRIX, "a Git LFS pointer")),
    Case("an empty file", lambda s: s.write(MATRIX, b""), (MATRIX, "empty", "Copy or download it anew")),
    Case("an empty file, packed", lambda s: s.write(FEATURES, gzip.compress(b"")), (FEATURES, "empty", "one name a line")),
    Case("names in another encoding", lambda s: s.change(FEATURES, repack(lambda d: d.decode().encode("utf-16"))),
         (FEATURES, "not text")),
    # -- header and body ----------------------------------------------------------------------------------------------
    Case("a body longer than its header says", lambda s: s.change(MATRIX, header(entries="60000")),
         (MATRIX, "line 60004: an entry more than the 60000"), reader="a"),
    Case("a body shorter than its header says", lambda s: s.change(MATRIX, header(entries="99999999")),
         (MATRIX, "99999999, as its header says", "cut short"), reader="a"),
    Case("a body shorter within the first lines", lambda s: s.change(MATRIX, lines(lambda rows: rows[:500])),
         (MATRIX, "entries (expected", "cut short")),
    Case("a header that says no entries", lambda s: s.change(MATRIX, header(entries="0")),
         (MATRIX, "no entry: every count is 0")),
    Case("a wrong number of rows", lambda s: s.change(MATRIX, header(rows="1990")),
         (MATRIX, "1990 rows", "2000 features in features.tsv.gz", "Take the three files from the same run")),
    Case("a wrong number of columns", lambda s: s.change(MATRIX, header(columns="7")), (MATRIX, "7 columns", "barcodes.tsv")),
    Case("no header", lambda s: s.change(MATRIX, lines(lambda rows: rows[3:])), (f"{MATRIX}, line 1:", "%%MatrixMarket")),
    Case("sizes that are no sizes", lambda s: s.change(MATRIX, header(rows="-5")), (MATRIX, "-5", "three sizes")),
    Case("a dense matrix", lambda s: s.change(MATRIX, repack(lambda d: d.replace(b"coordinate", b"array"))),
         (f"{MATRIX}, line 1:", "matrix array integer general")),
    # -- entries ------------------------------------------------------------------------------------------------------
    Case("an entry twice", lambda s: s.change(MATRIX, lines(lambda rows: [*rows[:5], rows[4], *rows[6:]])),
         (f"{MATRIX}, line 6 (feature", "a second entry for one place")),
    Case("an entry twice, far down", lambda s: s.change(MATRIX, lines(lambda rows: [*rows[:-1], rows[-2]])),
         (MATRIX, "a second entry for one place"), reader="a"),
    Case("positions from 0", lambda s: s.change(MATRIX, entry(3, "0 1 1")),
         (f"{MATRIX}, line 7: feature number 0 (expected 1 to 2000)", "was the matrix written from 0?")),
    Case("a barcode outside", lambda s: s.change(MATRIX, entry(-1, "1 9999 1")), "barcode number 9999", reader="a"),
    Case("a negative count", lambda s: s.change(MATRIX, entry(10, "{place} -3")),
         (f"{MATRIX}, line 14 (feature", "barcode", "a negative value (-3)", "before any normalisation")),
    Case("a missing count", lambda s: s.change(MATRIX, entry(10, "{place} NaN")), (MATRIX, "line 14", "NaN")),
    Case("an infinite count", lambda s: s.change(MATRIX, entry(10, "{place} inf")), (MATRIX, "line 14", "infinite value")),
    Case("a count too large", lambda s: s.change(MATRIX, entry(10, "{place} 3000000000")), (MATRIX, "a value too large")),
    Case("a fraction", lambda s: s.change(MATRIX, entry(10, "{place} 1.5")),
         (f"{MATRIX}, line 14", "a fractional value (1.5)", "quality: {counts: corrected}")),
    Case("a fraction, far down", lambda s: s.change(MATRIX, entry(-5, "{place} 1.5")), "a fractional value", reader="a"),
    Case("a word", lambda s: s.change(MATRIX, entry(10, "{place} many")), (f"{MATRIX}, line 14", "'many'")),
    Case("four numbers a line", lambda s: s.change(MATRIX, entry(10, "{place} 1 7")), (MATRIX, "more than three numbers")),
    Case("counts per ten thousand", lambda s: s.change(MATRIX, entries(lambda v, t: f"{v / t * 1e4:.6g}")),
         (MATRIX, "the values are counts divided by their cell's total", "before any normalisation")),
    Case("logs", lambda s: s.change(MATRIX, entries(lambda v, t: f"{math.log1p(v / t * 1e4):.6g}")),
         (MATRIX, "the values are logs of counts divided by their cell's total")),
    Case("counts per million, rounded", lambda s: s.change(MATRIX, entries(lambda v, t: f"{round(v / t * 1e6)}")),
         (MATRIX, "whole numbers that are no counts", "cells looked at no gene was seen once")),
    Case("logs that are declared corrected counts",
         lambda s: s.change(MATRIX, entries(lambda v, t: f"{math.log1p(v / t * 1e4):.6g}")).add(
             "quality: {counts: corrected}\n"), (MATRIX, "logs of counts divided by their cell's total, and no corrected")),
    # -- names --------------------------------------------------------------------------------------------------------
    Case("a barcode less", lambda s: s.change(BARCODES, lines(lambda rows: rows[:-1])), (MATRIX, "barcodes in barcodes.tsv.gz")),
    Case("features with a header row", lambda s: s.change(FEATURES, lines(lambda rows: ["id\tname\ttype", *rows])),
         (MATRIX, "2001 features", "Has a file of names a header row?")),
    Case("a barcode twice", lambda s: s.change(BARCODES, lines(lambda rows: [*rows[:-1], rows[0]])),
         (BARCODES, "1 barcodes stand there more than once", "Give each lane a row of the sheet")),
    Case("an empty barcode", lambda s: s.change(BARCODES, lines(lambda rows: [*rows[:4], "", *rows[5:]])),
         (f"{BARCODES}, barcode 5: an empty name",)),
    Case("a gene without a name", lambda s: s.change(FEATURES, lines(lambda rows: ["\t\tGene Expression", *rows[1:]])),
         (f"{FEATURES}, feature 1: an empty name",)),
    Case("a gene that is a formula", lambda s: s.change(FEATURES, features(lambda r: ["=cmd|' /C calc'!A0", *r[1:]])),
         (f"{FEATURES}, feature 1: \"=cmd|' /C calc'!A0\"", "begins with none of")),
    Case("a symbol that is HTML", lambda s: s.change(FEATURES, features(lambda r: [r[0], "<script>1</script>", r[2]])),
         (f"{FEATURES}, feature 1", "without control characters, '<' and '>'")),
    Case("a barcode with a NUL", lambda s: s.change(BARCODES, lines(lambda rows: [rows[0] + "\0", *rows[1:]])),
         (f"{BARCODES}, barcode 1",)),
    Case("antibodies only", lambda s: s.change(FEATURES, features(lambda r: [r[0], r[1], "Antibody Capture"])),
         (FEATURES, "others of type Antibody Capture", "of type Gene Expression")),
    Case("peaks", lambda s: s.change(FEATURES, lines(lambda rows: [f"chr1:{n}-{n + 9}" for n in range(len(rows))])),
         (FEATURES, "features named like chr1:0-9")),
    Case("human ids in a mouse's study", lambda s: s.change(FEATURES, repack(lambda d: d.replace(b"ENSMUSG", b"ENSG"))),
         (FEATURES, "genes of another species (human)", "genes of the mouse, as the config says"), run=True),
    Case("human symbols in a mouse's study", lambda s: s.change(FEATURES, lines(
        lambda rows: ["CD3E", "GAPDH", "HLA-A", "MT-CO1", "TP53", *(f"LINC{n:05d}" for n in range(len(rows) - 5))])),
         (FEATURES, "genes of another species (human)")),
    Case("a rat's genes", lambda s: s.change(FEATURES, repack(lambda d: d.replace(b"ENSMUSG", b"ENSRNOG"))),
         (FEATURES, "Ensembl species code RNO")),
    Case("two genomes in one table", lambda s: s.change(FEATURES, lines(
        lambda rows: [row.replace("ENSMUSG", "GRCh38_ENSG") if n < 1000 else f"mm10___{row}" for n, row in enumerate(rows)])),
         (FEATURES, "genes of several species", "Keep the features of one genome")),
    Case("no mitochondrion", lambda s: s.change(FEATURES, lines(
        lambda rows: [f"ENSMUSG{n:011d}\tRpl{n}\tGene Expression" for n in range(len(rows))])),
         (FEATURES, "none of 2000 genes is mitochondrial")),
    # -- files in the folder ------------------------------------------------------------------------------------------
    Case("no barcodes", lambda s: rename(s, "barcodes.tsv.gz", ""), ("data/a", "no barcodes.tsv.gz among", "matrix.mtx.gz")),
    Case("no features", lambda s: rename(s, "features.tsv.gz", ""), ("data/a", "no features.tsv.gz among")),
    Case("an empty folder", lambda s: rename(s, "features.tsv.gz", "", "barcodes.tsv.gz", "", "matrix.mtx.gz", ""),
         ("data/a", "the folder is empty")),
    Case("two matrices in a folder", lambda s: s.write("data/a/old_matrix.mtx.gz", b"x"),
         ("data/a: 2 files end with matrix.mtx", "matrix.mtx.gz, old_matrix.mtx.gz", "name the matrix itself as the path")),
    Case("a matrix twice, packed and not", lambda s: s.write("data/a/matrix.mtx", b"x"), "2 files end with matrix.mtx"),
    Case("several samples in one folder", lambda s: prefixed(prefixed(s, "GSM1_a_"), "GSM2_c_", sample="c").sheet(
        "data/a", "data/geo", "data/c", "data/geo/GSM2_c_matrix.mtx.gz"), ("data/geo", "such as data/geo/GSM1_a_matrix.mtx.gz")),
    Case("names of another sample", lambda s: rename(
        s, "matrix.mtx.gz", "GSM1_matrix.mtx.gz", "barcodes.tsv.gz", "GSM2_barcodes.tsv.gz"),
         ("data/a: GSM2_barcodes.tsv.gz beside GSM1_matrix.mtx.gz", "such as GSM1_barcodes.tsv.gz")),
    Case("the folder above the matrix", lambda s: (
        (s.data / "Solo.out/Gene").mkdir(parents=True), shutil.move(s.data / "a", s.data / "Solo.out/Gene/filtered"),
        s.sheet("data/a", "data/Solo.out")), ("data/Solo.out", "Is data/Solo.out/Gene/filtered meant?")),
    Case("a link that leads nowhere", lambda s: (
        rename(s, "matrix.mtx.gz", ""), (s.data / "a/matrix.mtx.gz").symlink_to("/nowhere/matrix.mtx.gz")),
         ("data/a/matrix.mtx.gz: a link to a file that is not there", "Mend the link")),
    Case("a link to itself", lambda s: (
        rename(s, "matrix.mtx.gz", ""), (s.data / "a/matrix.mtx.gz").symlink_to("matrix.mtx.gz")),
         ("data/a/matrix.mtx.gz: a link to a file that is not there",)),
    Case("a folder in place of a file", lambda s: (rename(s, "matrix.mtx.gz", ""), (s.data / "a/matrix.mtx.gz").mkdir()),
         ("data/a", "no matrix.mtx.gz")),
    Case("a format of R", lambda s: s.write("data/a.rds", b"RDX3").sheet("data/a\n", "data/a.rds\n"),
         ("data/a.rds: a format that is not known", "an .h5ad")),
]  # fmt: skip

GOOD = [
    Good("a folder as it is", lambda s: None, unchanged, True),
    Good("a matrix that is not packed", unpacked, unchanged, True),
    Good("lines that end as on Windows", lambda s: s.change(MATRIX, repack(lambda d: d.replace(b"\n", b"\r\n"))).change(
        FEATURES, repack(lambda d: d.replace(b"\n", b"\r\n"))), unchanged, True),
    Good("a folder of Cell Ranger 2", lambda s: rename(unpacked(s).change(
        "data/a/features.tsv", lambda d: d.replace(b"\tGene Expression", b"")), "features.tsv", "genes.tsv"), unchanged, True),
    Good("a folder of STARsolo", lambda s: (unpacked(s), (s.data / "Solo.out/Gene").mkdir(parents=True), shutil.move(
        s.data / "a", s.data / "Solo.out/Gene/filtered"), s.sheet("data/a", "data/Solo.out/Gene/filtered")), unchanged, True),
    Good("a folder from GEO", lambda s: prefixed(s, "GSM123_sample_").sheet("data/a", "data/geo"), unchanged, True),
    Good("several samples in one folder, by their matrices", lambda s: prefixed(
        prefixed(s, "GSM1_a_"), "GSM2_c_", sample="c").sheet(
            "data/a", "data/geo/GSM1_a_matrix.mtx.gz", "data/c", "data/geo/GSM2_c_matrix.mtx.gz"), unchanged, True, run=True),
    Good("features with two columns", lambda s: s.change(FEATURES, features(lambda r: r[:2])), unchanged, True),
    Good("features with a biotype for a type", lambda s: s.change(FEATURES, features(lambda r: [*r[:2], "lncRNA"])), unchanged, True),
    Good("ids with a version", lambda s: s.change(FEATURES, features(lambda r: [f"{r[0]}.7", *r[1:]])),
         lambda o: bool((o.read("a").var_names == o.read("c").var_names).all()), True),
    Good("symbols in capitals", lambda s: s.change(FEATURES, features(lambda r: [r[0], r[1].upper(), r[2]])),
         lambda o: (len({*o.read("a").var["symbol"]} & {*truth(o.study).symbols}) > 1990, "in capitals" in o.told("a")),
         (True, True)),
    Good("barcodes in the rows", lambda s: s.change(MATRIX, lines(lambda rows: [*rows[:2], *(
        " ".join([row.split()[1], row.split()[0], row.split()[2]]) for row in rows[2:])])), unchanged, True),
    Good("antibodies and hashtags beside the genes", lambda s: s.change(FEATURES, lines(lambda rows: [
        *rows[:-2], "CD8\tCD8\tAntibody Capture", "HTO1\tHTO1\tMultiplexing Capture"])),
         lambda o: (o.read("a").n_vars, o.read("a").obsm["other_features"].shape[1], "2 of its features" in o.told("a")),
         (1998, 2, True)),
    Good("antibodies that no column tells", lambda s: s.change(FEATURES, lines(lambda rows: [
        *(row.rsplit("\t", 1)[0] for row in rows[:-2]), "CD8\tCD8_TotalSeqB", "HTO_1\tHTO_1"])),
         lambda o: (o.read("a").n_vars, "2 of type Antibody Capture, such as CD8_TotalSeqB, HTO_1)" in o.told("a")), (1998, True)),
    Good("genes that a spreadsheet made dates", lambda s: s.change(FEATURES, lines(lambda rows: [
        *("\t".join([row.split("\t")[0], date, row.split("\t")[2]]) for row, date in zip(rows[:3], ("1-Sep", "2-Mar", "Sep-01"), strict=True)),
        *rows[3:]])), lambda o: (same(o.read("a"), truth(o.study), symbols=False), "3 gene names look like dates" in o.told("a")), (True, True)),
    Good("a gene in two rows", lambda s: s.change(FEATURES, lines(lambda rows: [*rows[:-1], rows[0]])),
         lambda o: (o.read("a").n_vars, int(o.read("a").X.sum()) == truth(o.study).matrix.sum(),
                    "1 genes stand in several rows" in o.told("a")),
         (1999, True, True)),
    Good("one symbol of two genes", lambda s: s.change(FEATURES, lines(lambda rows: [
        *rows[:1000], "\t".join([rows[1000].split("\t")[0], *rows[1001].split("\t")[1:]]), *rows[1001:]])),
         lambda o: same(o.read("a"), truth(o.study), symbols=False), True),
    Good("a zero that is written", lambda s: s.change(MATRIX, entry(0, "{place} 0")),
         lambda o: int((o.read("a").X.data == 0).sum()), 0),
    Good("counts of SoupX, declared", lambda s: soup_taken(s).add("quality: {counts: corrected}\n"),
         lambda o: (kept(o), "were rounded so that sums are kept" in o.told("a")),
         (True, True)),
    Good("one cell", lambda s: s.change(MATRIX, lines(lambda rows: [rows[0], "%", f"2000 1 {len(rows[3:50])}", *(
        " ".join([row.split()[0], "1", row.split()[2]]) for row in rows[3:50])])).change(
            BARCODES, lines(lambda rows: rows[:1])), lambda o: o.read("a").n_obs, 1),
]  # fmt: skip
