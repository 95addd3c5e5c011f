"""The losses: a file each, which holds its formulas for one output of one sample."""
