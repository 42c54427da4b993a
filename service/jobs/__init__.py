"""Background jobs: accepted once, continued after a restart, and kept for a while."""
