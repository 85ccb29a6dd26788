"""A run on a results folder: one at a time, begun by putting right what the last one left, ended by publishing."""
