"""Measurements the repository can print again."""
