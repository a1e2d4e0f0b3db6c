"""Reads from AWS what `doctor` judges; changes nothing."""
