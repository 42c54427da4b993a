"""Long work: accepted once, finished whatever happens to the process, and kept for a while."""
