"""`python -m infera.cli`"""

from infera.cli import main

main()
