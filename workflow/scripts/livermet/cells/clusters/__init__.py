"""Groups of like cells, and how well they hold."""
