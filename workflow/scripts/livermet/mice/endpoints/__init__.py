"""What is measured once a mouse and put to every question."""
