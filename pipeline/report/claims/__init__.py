"""What the results show, in sentences and tables that are computed, and say no more than that."""
