"""`python -m lightcam_edge` is the command line."""

from lightcam_edge.cli import main

if __name__ == "__main__":
    main()
