"""The command line: `shoal` and what its commands print and write."""
