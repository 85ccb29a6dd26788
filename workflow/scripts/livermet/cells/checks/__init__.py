"""What is looked at once cells have names: sex, stress, cell cycle, suspect clusters."""
