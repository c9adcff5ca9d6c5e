"""Video files and cameras: pictures in, pictures with drawn skeletons out."""

from skeletonagent.video.drawing import DrawnPerson, draw_persons, drawn_frames
from skeletonagent.video.reading import VideoFrame, VideoInfo, describe_video, read_frames
from skeletonagent.video.writing import write_video

__all__ = [
    "DrawnPerson",
    "VideoFrame",
    "VideoInfo",
    "describe_video",
    "draw_persons",
    "drawn_frames",
    "read_frames",
    "write_video",
]
