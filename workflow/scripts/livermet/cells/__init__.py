"""Every per-cell computation. Nothing here knows what a treatment is."""
