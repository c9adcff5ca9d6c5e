"""``python -m skeletonagent``."""

from skeletonagent.cli.main import run

run()
