"""Other servers of the same model file, written as in their documentation. They run in a separate environment."""
