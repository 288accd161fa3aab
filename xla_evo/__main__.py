"""``python -m xla_evo`` is the command ``xla-evo``."""

from xla_evo.cli.main import run

if __name__ == "__main__":
    run()
