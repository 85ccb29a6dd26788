"""Files that a run makes: read and written by their extension, whole or not at all, remembered, compared by content."""
