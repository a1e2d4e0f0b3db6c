"""`python -m failure_destinations`: the same as the command `failure-destinations`."""

from failure_destinations.cli.main import main

if __name__ == "__main__":
    main()
