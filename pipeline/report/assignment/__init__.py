"""The mathematics, the setting, and what the assignment's text has to compare with."""
