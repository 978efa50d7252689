"""`python -m colm COMMAND`: see `--help`."""

from .command_line import main

main()
