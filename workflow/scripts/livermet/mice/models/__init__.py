"""The statistics that every endpoint shares: linear models of mice, contrasts, ratios, power."""
