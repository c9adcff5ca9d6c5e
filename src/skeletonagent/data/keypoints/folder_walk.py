"""Walk through the keypoint files of a folder, which other processes may read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import UNREADABLE, problem_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import NobodySeenError
from skeletonagent.data.keypoints.formats import (
    detect_keypoint_format,
    readable_formats,
    unknown_format,
)
from skeletonagent.data.keypoints.remarks import (
    RemarkPlaces,
    remark,
    remarks_collected,
    repeat_remarks,
)
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource

_MOST_LISTED = 5


@dataclass(frozen=True)
class FileOutcome:
    """What was read of a file elsewhere, or of a folder of a file for each frame.

    Args:
        recordings: Its recordings.
        left_out: Why it could not be read, if so.
        empty: Frames, file and name of recordings in which nobody is seen.
        remarks: What is to be said about it.
    """

    recordings: tuple[KeypointRecording, ...]
    left_out: tuple[str, ...]
    empty: tuple[tuple[int, Path | None, str], ...]
    remarks: RemarkPlaces


ReadElsewhere = Callable[[Sequence[Path]], Iterable[FileOutcome]]
"""Function that gives what was read of some files and folders, in their order."""


@dataclass
class FolderWalk:
    """Walk through a file or a folder that collects what could not be read.

    Args:
        only: Format of all files; None finds it out.
        num_joints: Number of joints of the layout that was given.
        is_folder: Whether a folder is walked through; errors on its files are short.
        elsewhere: Function that gives what is in the files of folders; None reads them here.
        left_out: Why files and folders were not read.
        empty: Recordings in which nobody is seen.
        entered: Folders that were read, wherever links to them are.
    """

    only: KeypointFormat | None
    num_joints: int | None
    is_folder: bool
    elsewhere: ReadElsewhere | None = None
    left_out: list[str] = field(default_factory=list)
    empty: list[NobodySeenError] = field(default_factory=list)
    entered: set[Path] = field(default_factory=set)

    def read(self, source: KeypointSource) -> Iterator[KeypointRecording]:
        """Yield the recordings of a file or a folder.

        Raises:
            DataError: If the file cannot be read, or nothing in the folder.
        """
        if not source.is_folder:
            yield from self._file(source)
            return
        count = 0
        for recording in self._folder(source):
            count += 1
            yield recording
        if not count:
            raise self._nothing(source)

    def list_files(self, root: Path) -> list[Path]:
        """Return the files of a folder and those below it, and folders of a file for each frame.

        They are in the order in which :meth:`read` takes them.

        Raises:
            DataError: If a folder cannot be read.
        """
        listed: list[Path] = []

        def note(files: Sequence[Path]) -> Iterable[FileOutcome]:
            listed.extend(files)
            return ()

        walk = replace(self.alone(), elsewhere=note)
        with remarks_collected():
            list(walk._folder(KeypointSource(root, self.num_joints)))
        return listed

    def alone(self) -> FolderWalk:
        """Return a walk of the same kind that has read nothing, and reads by itself."""
        return FolderWalk(self.only, self.num_joints, self.is_folder)

    def remark_on_left_out(self, root: Path) -> None:
        """Warn of the files that were not read."""
        if self.left_out:
            listed = "; ".join(problem[:200] for problem in self.left_out[:_MOST_LISTED])
            more = len(self.left_out) - _MOST_LISTED
            remark(
                root,
                f"{len(self.left_out)} file(s) left out: {listed}"
                f"{f'; and {more} more' if more > 0 else ''}",
            )

    def read_file(self, path: Path) -> FileOutcome:
        """Return what is in a file of a folder, in a form that another process can take."""
        walk = self.alone()
        with remarks_collected() as remarks:
            recordings = tuple(walk._caught(KeypointSource(path, self.num_joints), None))
        empty = [(error.frames, error.path, error.recording) for error in walk.empty]
        return FileOutcome(recordings, tuple(walk.left_out), tuple(empty), remarks)

    def _file(
        self, source: KeypointSource, chosen: KeypointFormat | None = None
    ) -> list[KeypointRecording]:
        """Return the recordings of a file.

        Raises:
            DataError: If it is damaged, also in ways that its reader does not look for.
        """
        try:
            chosen = chosen or self._format(source)
            return chosen.read(source)
        except UNREADABLE as error:
            title = f" ({chosen.title})" if chosen else ""
            raise DataError(
                f"is damaged{title}: {problem_line(error)}", path=source.path
            ) from error

    def _format(self, source: KeypointSource) -> KeypointFormat:
        chosen = self.only or detect_keypoint_format(source)
        if chosen is None:
            raise unknown_format(source, in_brief=self.is_folder)
        return chosen

    def _folder(self, folder: KeypointSource) -> Iterator[KeypointRecording]:
        frames = None
        detected = detect_keypoint_format(folder)
        if detected is not None and self.only in (None, detected):
            frames = detected.frame_suffix
            yield from self._each([folder], detected)
        files = [file for file in folder.files if file.suffix.lower() != frames]
        yield from self._each([KeypointSource(file, self.num_joints) for file in files])
        self.entered.add(folder.path.resolve())
        for other in folder.others:
            remark(other, "is neither file nor folder, and is left out")
        for below in folder.folders:
            if below.resolve() in self.entered:
                remark(below, "is a link to a folder that is read already, and is left out")
            else:
                yield from self._folder(KeypointSource(below, self.num_joints))

    def _each(
        self, sources: Sequence[KeypointSource], chosen: KeypointFormat | None = None
    ) -> Iterator[KeypointRecording]:
        """Yield the recordings of files, here or from elsewhere."""
        if self.elsewhere is None:
            for source in sources:
                yield from self._caught(source, chosen)
        else:
            for outcome in self.elsewhere([source.path for source in sources]):
                yield from self._taken(outcome)

    def _caught(
        self, source: KeypointSource, chosen: KeypointFormat | None
    ) -> Iterator[KeypointRecording]:
        try:
            yield from self._file(source, chosen)
        except NobodySeenError as error:
            self.empty.append(error)
        except DataError as error:
            self.left_out.append(str(error))

    def _taken(self, outcome: FileOutcome) -> Sequence[KeypointRecording]:
        """Return what was read elsewhere, and keep what could not be."""
        repeat_remarks(outcome.remarks)
        self.left_out += outcome.left_out
        self.empty += [NobodySeenError(*arguments) for arguments in outcome.empty]
        return outcome.recordings

    def _nothing(self, source: KeypointSource) -> DataError:
        if self.empty:
            return self.empty[0]
        if not self.left_out:
            return unknown_format(source)
        listed = "; ".join(problem[:300] for problem in self.left_out[:2])
        return DataError(
            f"none of {len(self.left_out)} file(s) can be read: {listed}. {readable_formats()}",
            path=source.path,
        )
