"""The command line: `python -m captioning COMMAND`."""

from captioning.cli.main import cli

if __name__ == "__main__":
    cli()
