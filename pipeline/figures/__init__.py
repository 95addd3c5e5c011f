"""Figures from tables and arrays; nothing here reads or writes files."""
