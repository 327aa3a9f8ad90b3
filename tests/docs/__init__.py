"""What keeps `docs/` true: `python -m tests.docs` writes what is generated, and tests run every command."""
