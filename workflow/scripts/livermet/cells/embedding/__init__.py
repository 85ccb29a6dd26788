"""From counts to neighbours: variable genes, components, batches brought together, the map."""
