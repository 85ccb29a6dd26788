"""How far the answers hold: other mice left out, labels shuffled, other choices made."""
