"""Formulas in TeX that run."""
