"""Every inference. Nothing here takes a cell as a replicate."""
