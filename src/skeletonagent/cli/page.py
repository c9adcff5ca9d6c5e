"""``skeletonagent page``: the page in one file, and what it needs for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from skeletonagent.cli.console import output, print_remark, warnings_on_console
from skeletonagent.core.errors import ConfigError, SkeletonAgentError

if TYPE_CHECKING:
    from skeletonagent.core.input_format import InputFormat
    from skeletonagent.inference.exported_model import ExportedModel
    from skeletonagent.page.browser_pose import BrowserPose

_FETCH = "fetch"


def page_command(
    run: Annotated[
        str,
        typer.Argument(
            help="A run directory, or a file that 'export' wrote; 'fetch' fetches the runtime."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write (.html).")] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="The package of ONNX Runtime Web, if it was downloaded already."),
    ] = None,
    pose: Annotated[
        bool | None,
        typer.Option(
            "--pose/--no-pose",
            help="Take videos and the camera; if neither is given, where the pose models are "
            "there and fit.",
        ),
    ] = None,
) -> None:
    """Write the page as one file, in which a recognizer runs without a server.

    The file opens in a browser from anywhere, and sends nothing to anybody. It holds ONNX Runtime
    Web (MIT, 6 MB), which 'page fetch' downloads from npm's registry into your cache, once; npm is
    not needed. It takes keypoint files, CSV, NPY and JSON; and, after 'pose fetch', videos and the
    camera, whose pictures stay in the browser (9 MB more).

    Examples:
      skeletonagent page fetch

      skeletonagent page runs/utd --out utd.html
    """
    from skeletonagent.page.fetch import fetch_web_runtime, find_web_runtime

    if run == _FETCH and not Path(run).exists():
        if out is not None:
            raise ConfigError("'page fetch' writes no page; leave out --out")
        files = fetch_web_runtime(package=runtime)
        output.print(f"ONNX Runtime Web: {escape(str(files.module.parent))}", soft_wrap=True)
        return
    if out is None:
        raise ConfigError("name the file to write with --out FILE.html")
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out ends in .html, got {out.name!r}")
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another name")
    from skeletonagent.core.files import write_text
    from skeletonagent.page.browser_model import BrowserModel
    from skeletonagent.page.single_file import single_file

    files = find_web_runtime() if runtime is None else fetch_web_runtime(package=runtime)
    with warnings_on_console(), tempfile.TemporaryDirectory() as folder:
        exported = _exported(Path(run), Path(folder))
        models = _pose(exported.metadata.input_format, pose)
        write_text(out, single_file(BrowserModel.of(exported, models), files))
    print_remark(f"written: {out} ({out.stat().st_size / 1e6:.1f} MB)")


def _pose(given: InputFormat, wanted: bool | None) -> BrowserPose | None:
    """Return the pose models for a recognizer; None, which is said, if they cannot be used.

    Args:
        given: Joints and channels of the recognizer.
        wanted: Whether there have to be any; None if they may be missing.

    Raises:
        SkeletonAgentError: If there have to be some, and cannot be.
    """
    from skeletonagent.page.browser_pose import BrowserPose

    if wanted is False:
        return None
    try:
        return BrowserPose.of(given)
    except SkeletonAgentError as error:
        if wanted:
            raise
        print_remark(f"the page takes neither videos nor the camera: {error}")
        return None


def _exported(path: Path, folder: Path) -> ExportedModel:
    """Return the recognizer of an exported file, or of a run, which is exported for it.

    Args:
        path: A run directory or a file.
        folder: Folder for the exported file.
    """
    from skeletonagent.inference.exported_model import ExportedModel, exported_file

    file = exported_file(path.expanduser(), "auto")
    if file is not None:
        return ExportedModel.open(file)
    from skeletonagent.inference.action_examples import knowing_examples
    from skeletonagent.inference.predictor import load_predictor

    target = folder / f"{path.expanduser().resolve().name}.onnx"
    knowing_examples(load_predictor(path, "cpu")).export(target)
    return ExportedModel.open(target)
