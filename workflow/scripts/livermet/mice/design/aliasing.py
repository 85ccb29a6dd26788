"""What cannot be told apart: batches, sexes and lanes that go with the treatment, said in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

NUISANCE = ("batch", "sex", "lane", "run", "date", "day", "cage", "chemistry", "operator")  # looked at where given


def is_number(values: pd.Series) -> bool:
    """Whether a column is a quantity: all numbers, and at least one with a decimal point ("8.5"; "1" is a name)."""
    numbers = pd.to_numeric(values, errors="coerce")
    return bool(numbers.notna().all() and values.astype(str).str.contains(".", regex=False).any())


def describe_aliasing(units: pd.DataFrame, factors: Mapping[str, list[str]], covariates: Collection[str]) -> list[str]:
    """Say which effects of the factors cannot be told from a batch, a sex, a lane or a covariate.

    Parameters
    ----------
    units
        One row per unit; columns factors, covariates, nuisance columns.
    factors
        Factor -> levels, the reference first.
    covariates
        Columns that the model adjusts for.

    Returns
    -------
    list of str
        One sentence for every pair of a level and a column that go together, and for covariates that never vary.
    """
    found: list[str] = []
    if units.empty:
        return found
    for column in dict.fromkeys([*covariates, *NUISANCE]):
        if column not in units or column in factors:
            continue
        if units[column].nunique() < 2:
            if column in covariates:
                found.append(f"{column} is {units[column].iloc[0]} in every unit: there is nothing to adjust for")
            continue
        if is_number(units[column]) or units[column].nunique() == len(units):
            continue  # a quantity, or a name of its own for every unit
        adjusted = column in covariates
        for factor, levels in factors.items():
            found += [
                _sentence(units, factor, level, column, adjusted) for level in _confused(units, factor, levels, column)
            ]
    return found


def _confused(units: pd.DataFrame, factor: str, levels: list[str], column: str) -> list[str]:
    """Levels whose difference from the reference (the first there is) is a difference between values of the column."""
    present = [level for level in levels if level in set(units[factor])]
    if len(present) < 2:
        return []
    factor_part = np.column_stack([(units[factor] == level).to_numpy(float) for level in present])
    nuisance = np.column_stack([(units[column] == value).to_numpy(float) for value in units[column].unique()[1:]])
    matrix = np.hstack([factor_part, nuisance])
    confused = []
    for place, level in enumerate(present[1:], 1):
        contrast = np.zeros(matrix.shape[1])
        contrast[place], contrast[0] = 1.0, -1.0
        if not _in_row_space(matrix, contrast):
            confused.append(level)
    # If even the reference stands apart, every level does; naming the reference says it once.
    if len(confused) == len(present) - 1 > 1:
        others = np.zeros((len(confused) - 1, matrix.shape[1]))
        for row in range(len(others)):
            others[row, 1], others[row, row + 2] = -1.0, 1.0
        if all(_in_row_space(matrix, contrast) for contrast in others):
            return [present[0]]
    return confused


def _in_row_space(matrix: npt.NDArray[np.float64], contrast: npt.NDArray[np.float64]) -> bool:
    combination = np.linalg.lstsq(matrix.T, contrast, rcond=1e-10)[0]
    return bool(np.linalg.norm(matrix.T @ combination - contrast) < 1e-8)


def _sentence(units: pd.DataFrame, factor: str, level: str, column: str, adjusted: bool) -> str:
    own = list(dict.fromkeys(units.loc[units[factor] == level, column]))
    if len(own) == 1:
        holder = f"{column} {own[0]} holds"
    else:
        holder = f"{column} {' and '.join(own)} hold" if len(own) < 4 else f"{len(own)} values of {column} hold"
    only = set(units.loc[units[column].isin(own), factor]) == {level}
    text = (
        f"{holder} all {level} mice{' and no others' if only else ''}: the {level} effect cannot be told from {column}"
    )
    return text if adjusted else text + " (which the model does not adjust for)"
