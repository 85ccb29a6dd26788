"""The same study under other analytic choices: other cells kept, other clusters, the same mice and the same questions."""
