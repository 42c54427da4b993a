"""Trials of new model files in a child process, so that a bad file cannot take down the service."""
