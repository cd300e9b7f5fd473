"""`python -m service.cli`: the program without its script."""

from service.cli import main

if __name__ == "__main__":
    main()
