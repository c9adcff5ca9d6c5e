"""``skeletonagent serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.console import print_remark, warnings_on_console
from skeletonagent.cli.opened_model import open_model
from skeletonagent.core.errors import ConfigError
from skeletonagent.server.settings import ServeSettings

_DEFAULT = ServeSettings()
_SERVE_MODULES = frozenset(
    {"fastapi", "starlette", "uvicorn", "h11", "websockets", "python_multipart",
     "prometheus_client"}
)  # fmt: skip


def serve_command(
    run: Annotated[
        Path, typer.Argument(help="A run directory, or a file of ONNX that 'export' wrote.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = _DEFAULT.host,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = _DEFAULT.port,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that clients have to know; SKELETONAGENT_TOKEN otherwise. "
            "Needed where other machines can connect."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the recognizer for clients; by default the file's.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="'torch', 'onnx', or 'auto': the faster one that the run has.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="Device, such as cpu or cuda:1.")] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value, such as clips.test_clips=1."),
    ] = None,
    batch_wait: Annotated[
        float, typer.Option(help="Longest time that clips wait for others, in milliseconds.")
    ] = _DEFAULT.batch_wait,
    max_batch: Annotated[
        int, typer.Option(help="Clips that are predicted together.")
    ] = _DEFAULT.max_batch,
    max_body: Annotated[
        float, typer.Option(help="Largest body of JSON, in megabytes.")
    ] = _DEFAULT.max_body,
    max_upload: Annotated[
        float, typer.Option(help="Largest file, in megabytes.")
    ] = _DEFAULT.max_upload,
    max_frames: Annotated[
        int, typer.Option(help="Largest number of frames of a recording.")
    ] = _DEFAULT.max_frames,
    max_persons: Annotated[
        int, typer.Option(help="Largest number of persons of a recording.")
    ] = _DEFAULT.max_persons,
    max_active: Annotated[
        int, typer.Option(help="Requests that are worked on at once.")
    ] = _DEFAULT.max_active,
    max_queue: Annotated[
        int, typer.Option(help="Requests that wait; further ones get status 503.")
    ] = _DEFAULT.max_queue,
    max_streams: Annotated[
        int, typer.Option(help="Streams that are open at once.")
    ] = _DEFAULT.max_streams,
    max_connections: Annotated[
        int, typer.Option(help="Connections that are open at once.")
    ] = _DEFAULT.max_connections,
    rate: Annotated[
        float, typer.Option(help="Requests a second of one client address; 0 for any number.")
    ] = _DEFAULT.rate,
    header_seconds: Annotated[
        float, typer.Option(help="Time for the head of a request.")
    ] = _DEFAULT.header_seconds,
    upload_seconds: Annotated[
        float, typer.Option(help="Time for a body to come, and for an answer to be taken.")
    ] = _DEFAULT.upload_seconds,
    read_seconds: Annotated[
        float, typer.Option(help="Time to read a keypoint file.")
    ] = _DEFAULT.read_seconds,
    video_seconds: Annotated[
        float, typer.Option(help="Time to find the persons in a video.")
    ] = _DEFAULT.video_seconds,
    max_memory: Annotated[
        float, typer.Option(help="Memory that reading a file may need, in megabytes.")
    ] = _DEFAULT.max_memory,
    idle_seconds: Annotated[
        float, typer.Option(help="Time after which a silent stream is ended.")
    ] = _DEFAULT.idle_seconds,
    stop_seconds: Annotated[
        float, typer.Option(help="Time to finish what is under way after SIGTERM.")
    ] = _DEFAULT.stop_seconds,
) -> None:
    """Serve a recognizer over HTTP: predictions, streams, and a page to try it on.

    The page is at the address that is printed. Clients send keypoints as JSON, keypoint files or
    videos to /predict, and frames as they come to /stream; /openapi.json describes it. Only this
    machine can connect unless --host says otherwise. Ctrl-C or SIGTERM stops it.

    Examples:
      skeletonagent serve runs/utd

      skeletonagent serve utd.onnx --port 8080

      skeletonagent serve utd.onnx --host 0.0.0.0 --token-file token.txt
    """
    settings = ServeSettings(
        host=host, port=port, batch_wait=batch_wait, max_batch=max_batch, max_body=max_body,
        max_upload=max_upload, max_frames=max_frames, max_persons=max_persons,
        max_active=max_active, max_queue=max_queue, max_streams=max_streams,
        max_connections=max_connections, rate=rate, header_seconds=header_seconds,
        upload_seconds=upload_seconds, read_seconds=read_seconds, video_seconds=video_seconds,
        max_memory=max_memory, idle_seconds=idle_seconds, stop_seconds=stop_seconds,
    )  # fmt: skip
    try:
        from skeletonagent.server.running import read_token, serve_recognizer
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _SERVE_MODULES:
            raise
        raise ConfigError(
            f"the server needs {error.name}, which is not installed; "
            "pip install 'skeletonagent[serve]'"
        ) from error
    from skeletonagent.inference.exported_model import EXPORTED_NAME

    token = read_token(token_file, settings)
    with warnings_on_console():
        model = open_model(run, device, engine, set_ or ())
    title = name or (run.resolve().parent.name if run.name == EXPORTED_NAME else run.stem)
    serve_recognizer(
        model, title, settings, token, lambda at: print_remark(f"{title}: {at} (Ctrl-C stops)")
    )
    print_remark("stopped")
