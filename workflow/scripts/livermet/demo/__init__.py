"""The simulated cohort, with its planted truth."""
