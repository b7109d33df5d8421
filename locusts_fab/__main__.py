"""The program: `locusts`, or `python -m locusts_fab`."""

from locusts_fab.early import leave_on_interrupt, open_closed_streams, speak_utf8


def main() -> None:
    """Run the program; what it needs is loaded here, where a Ctrl-C is told in one line."""
    leave_on_interrupt()
    open_closed_streams()
    speak_utf8()
    from locusts_fab.cli.program import main as run  # noqa: PLC0415 - what is above comes first

    run()


if __name__ == "__main__":
    main()
