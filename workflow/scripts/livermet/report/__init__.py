"""The HTML report and the methods text."""
