"""T-cell states: signatures, scores, calls. Nothing here knows what a treatment is."""
