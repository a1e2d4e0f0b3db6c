"""Run the check on a folder of templates, and compare it with an independent reading."""
