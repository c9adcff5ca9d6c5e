"""Distribution of the poses of training clips, from which absent joints can be expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.pose_model import FREE_MOVE, PoseModel

MOST_AXES = 40
"""Principal axes of a distribution at most."""
LEAST_SEEN = 0.02
"""Share of the poses in which a joint must be seen for its place to be known."""
LEAST_NOISE = 1e-3
"""Least variance apart from the axes, as a share of the mean variance of a coordinate."""
POSES_AT_ONCE = 4096
"""Poses whose joints are computed together, which bounds the memory."""


@dataclass(frozen=True)
class PoseDistribution:
    """Normal distribution of preprocessed poses: probabilistic principal components.

    A pose is the mean, a normally distributed way along each axis, and noise. Where a body stands
    is not expected: it may have moved anywhere.

    Args:
        mean: Mean place of each joint; NaN of joints that are hardly ever seen.
        axes: Principal axes, as long as the standard deviation along them.
        noise: Variance of each coordinate apart from the axes.

    Source: Tipping and Bishop, "Probabilistic Principal Component Analysis", 1999.
    """

    mean: Float[Tensor, "v d"]
    axes: Float[Tensor, "k v d"]
    noise: float

    @classmethod
    def of(cls, store: ClipStore) -> PoseDistribution | None:
        """Return the distribution of the poses of preprocessed samples; None if none is seen.

        Joints may be absent: means and covariances are those of the poses that show them.
        """
        if store.present is None or not bool(store.present.any()):
            return None
        shown = store.present.any(dim=1)
        seen = store.present[shown].double()
        poses = store.frames[shown][..., : store.coordinates].double()
        v, d = poses.shape[1:]
        together = seen.T @ seen
        counts = together.diagonal()
        known = counts >= LEAST_SEEN * len(seen)
        mean = (poses * seen[..., None]).sum(dim=0) / counts.clamp(min=1)[:, None]
        away = ((poses - mean) * (seen * known)[..., None]).flatten(1)
        pairs = together.clamp(min=1).repeat_interleave(d, 0).repeat_interleave(d, 1)
        variances, vectors = torch.linalg.eigh(away.T @ away / pairs)
        variances, vectors = variances.flip(0).clamp(min=0), vectors.flip(1)
        dimensions = d * int(known.sum())
        count = min(MOST_AXES, dimensions)
        rest = float(variances[count:].sum()) / max(1, dimensions - count)
        noise = max(rest, LEAST_NOISE * float(variances.sum()) / dimensions, 1e-12)
        lengths = (variances[:count] - noise).clamp(min=0).sqrt()
        axes = (vectors[:, :count] * lengths).T.unflatten(1, (v, d))
        mean = torch.where(known[:, None], mean, torch.nan)
        return cls(mean.float().cpu(), axes.float().cpu(), noise)

    @property
    def known(self) -> Bool[Tensor, " v"]:
        """Whether the place of each joint is known."""
        return self.mean.isfinite().all(dim=1)

    @cached_property
    def variances(self) -> Float[Tensor, " v"]:
        """Variance of the place of each joint."""
        return self.axes.square().sum(dim=(0, 2)) + self.noise * self.mean.shape[1]

    def in_coordinates(self, coordinates: int) -> PoseDistribution:
        """Return the distribution of the first coordinates alone, such as x and y of 3D."""
        if coordinates == self.mean.shape[1]:
            return self
        return PoseDistribution(
            self.mean[:, :coordinates], self.axes[..., :coordinates], self.noise
        )

    def expected(
        self, poses: Float[Tensor, "f v d"], seen: Bool[Tensor, "f v"]
    ) -> Float[Tensor, "f v d"]:
        """Return the poses with the joints that are not seen where those that are let expect them.

        Joints that are not known stay as they are, and so do poses without a joint that is seen.

        Args:
            poses: Poses as the training clips', in as many coordinates.
            seen: Whether each joint is seen.
        """
        known = self.known.to(poses.device)
        known_seen = seen & known
        rows = (known_seen.any(dim=1) & (known & ~seen).any(dim=1)).nonzero()[:, 0]
        filled = poses.clone()
        for part in rows.split(POSES_AT_ONCE):
            places = self._places(poses[part], known_seen[part]).to(poses.dtype)
            absent = (known & ~seen[part])[..., None]
            filled[part] = torch.where(absent, places, poses[part])
        return filled

    def _places(
        self, poses: Float[Tensor, "f v d"], seen: Bool[Tensor, "f v"]
    ) -> Float[Tensor, "f v d"]:
        """Return the expected place of every joint, given those that are seen."""
        device = poses.device
        axes, mean = self._movable_axes.to(device), self.mean.nan_to_num().double().to(device)
        patterns, number = seen.unique(dim=0, return_inverse=True)
        products = torch.einsum("avd,bvd->vab", axes, axes)
        unit = torch.eye(len(axes), dtype=axes.dtype, device=device)
        precision = torch.einsum("pv,vab->pab", patterns.double(), products) + self.noise * unit
        away = (poses.double() - mean) * seen[..., None]
        along = torch.einsum("fvd,kvd->fk", away, axes)
        weights = (torch.linalg.inv(precision)[number] * along[:, None]).sum(dim=-1)
        return mean + torch.einsum("fk,kvd->fvd", weights, axes)

    @cached_property
    def _movable_axes(self) -> Float[Tensor, "j v d"]:
        """Axes with those along which the whole body moves."""
        v, d = self.mean.shape
        far = FREE_MOVE * float(self.variances.mean() / d) ** 0.5
        moves = far * torch.eye(d, dtype=torch.float64)[:, None].expand(d, v, d)
        return torch.cat([self.axes.double(), moves])

    @property
    def model(self) -> PoseModel:
        """The distribution as it is kept with a recognizer."""
        return PoseModel(self.mean.numpy(), self.axes.numpy(), self.noise)

    @classmethod
    def from_model(cls, model: PoseModel) -> PoseDistribution:
        """Return the distribution of :attr:`model`."""
        return cls(torch.from_numpy(model.mean), torch.from_numpy(model.axes), model.noise)
