"""Readers for every format, gene identity, species: files in, canonical raw counts out."""
