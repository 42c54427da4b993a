"""`python -m upconv`."""

from upconv.cli import main

main()
