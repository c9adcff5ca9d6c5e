"""A drawn person is found, and the joints are where they were drawn."""

from __future__ import annotations

import numpy as np
from benchmarks.mannequin import Performance, errors, figures
from benchmarks.mannequin_picture import PinholeCamera
from tests.drawn_person import waving

from skeletonagent.pose.estimate import PoseOptions, recording_of_frames
from skeletonagent.pose.fetch import PoseModelFiles


def test_a_drawn_person_is_found_where_it_is(fetched_models: PoseModelFiles) -> None:
    joints = waving(1, frames=6).joints[0].astype(float) * (-1, -1, 1)
    one = Performance("wave", joints, 1, 10.0, PinholeCamera(), 3)
    found = recording_of_frames(one.pictures(), 10, PoseOptions(max_persons=1))
    measured = figures(errors(one, found))
    assert measured["found"] == 1 and measured["error"] < 0.03
    raised = found.joints[0, :, found.joint_names.index("left wrist"), 1]  # type: ignore[union-attr]
    assert np.argmin(raised) in (2, 3) and raised[0] - raised.min() > 40
