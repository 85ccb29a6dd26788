"""One figure a file: functions take tables, return a Figure and never save."""
