"""Reads what `doctor` judges from an account."""
