"""Lists of runs, and comparisons between runs."""
