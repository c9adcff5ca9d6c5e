"""``skeletonagent push`` and ``pull``: recognizers on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import (
    output,
    print_json,
    print_remark,
    print_warning,
    warnings_on_console,
)


def push_command(
    run: Annotated[
        Path, typer.Argument(help="A run directory, or a file that 'export' wrote (.onnx).")
    ],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub; made if missing.")],
    license_: Annotated[
        str, typer.Option("--license", help="Licence of the training data, in words.")
    ] = "",
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see a repository that is made.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be uploaded, and send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Upload a recognizer to the Hugging Face Hub: exported file, weights and model card.

    Checkpoints, dialogues, paths and training data stay here. The key is that of 'hf auth login'
    or HF_TOKEN.

    Examples:
      skeletonagent push runs/utd me/utd-actions --dry-run

      skeletonagent push utd.onnx me/utd-actions --public
    """
    from skeletonagent.hub.transfer import push_model

    with warnings_on_console():
        pushed = push_model(run, repository, license=license_, public=public, dry_run=dry_run)
    if as_json:
        print_json(
            {"repository": repository, "files": pushed.sizes, "url": pushed.url,
             "dry_run": dry_run}
        )  # fmt: skip
        return
    output.print(_table(pushed.sizes))
    where = pushed.url or f"nothing was sent; without --dry-run it goes to {repository}"
    output.print(escape(where), soft_wrap=True)


def pull_command(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit; by default the newest.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Download a recognizer from the Hugging Face Hub, and check it before it is used.

    Examples:
      skeletonagent pull me/utd-actions --out models/utd
    """
    from skeletonagent.hub.transfer import pull_model

    pulled = pull_model(repository, out, revision=revision)
    if pulled.left_out:
        print_warning(f"not downloaded: {', '.join(pulled.left_out)}")
    if as_json:
        print_json(
            {"repository": repository, "out": str(out), "files": pulled.sizes,
             "revision": pulled.revision, "left_out": list(pulled.left_out)}
        )  # fmt: skip
        return
    output.print(_table(pulled.sizes))
    print_remark(f"'skeletonagent predict FILES --run {pulled.model}' uses it")


def _table(sizes: Mapping[str, int]) -> Table:
    table = Table("file", "bytes", box=None)
    for name, size in sizes.items():
        table.add_row(escape(name), str(size))
    return table
