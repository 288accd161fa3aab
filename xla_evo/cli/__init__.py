"""The command ``xla-evo``: one module a subcommand, all that prints."""
