"""What the mice can tell and what not, before anything is computed."""
