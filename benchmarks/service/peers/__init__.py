"""Other servers of the same model file, each as its documentation has it. They run in an environment of their own."""
