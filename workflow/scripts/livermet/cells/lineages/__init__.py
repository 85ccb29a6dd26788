"""What a cell is: markers, the owner's labels, references, and how far they agree."""
