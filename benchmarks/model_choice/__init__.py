"""Measures whether the model that `--model auto` chooses is the best one."""
