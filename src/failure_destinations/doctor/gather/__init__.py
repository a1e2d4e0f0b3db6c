"""Reads the facts that `doctor` judges from AWS, without changing anything."""
