"""From estimates to sentences and the tables that people read."""
