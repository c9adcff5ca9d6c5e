"""``python -m skeletonagent``."""

from skeletonagent.cli.main import run

if __name__ == "__main__":
    run()
