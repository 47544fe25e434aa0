"""The four domains of MMA-82, as postures, cameras and disturbances in which the real ones differ.

| domain | posture | picture |
|---|---|---|
| laboratory | seated, hands on the legs or folded | frontal, whole body, fixed, little noise |
| psychiatric | seated and bent a little, smaller and slower motions | from the hips up, a little from above |
| street | standing, arms hanging or holding something | oblique, hand-held, things before the body |
| emotion (television) | seated or standing, talking | cut off at the chest, low resolution, any side |

Ranges are (lowest, highest) of a uniform draw unless they say otherwise; numbers are the author's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fidget.benchmark.simulator.camera import Camera, wander
from fidget.benchmark.simulator.pose_state import Array, Posture

Range = tuple[float, float]
Rests = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Domain:
    """How one domain looks.

    Attributes:
        name: as in the labels file.
        standing: share of subjects who stand.
        rests: places of resting hands with their weights, of those who sit.
        standing_rests: of those who stand.
        lean: forward bend of the trunk in radians, (mean, standard deviation) over subjects.
        chin: pitch of the head likewise.
        amplitude: size of motions, 1 is the laboratory's.
        restlessness: size of idle motion, 1 is the laboratory's.
        frame_hw: height and width of the picture.
        view_m: metres that the picture's height shows at the subject's distance.
        middle_m: height above the pelvis in the middle of the picture, seated.
        distance_m: of the camera.
        azimuth: radians, by which the camera stands aside; the side is drawn.
        azimuth_by_clip: standard deviation of a further turn of the chair or the person, each clip.
        elevation: radians, + from above.
        shake: radians of a hand-held camera's wandering; it also turns and moves by this share.
        noise: size of the estimator's errors, 1 is the laboratory's.
        resolution_px: size of a picture element of the source as the estimator's frame shows it.
        drop_per_s: rate at which a part (a hand, the feet, the face, a joint) is lost for a while.
        occluder: share of clips with something before the body.
        swap: share of clips in which left and right are exchanged for some frames.
    """

    name: str
    standing: float
    rests: Rests
    standing_rests: Rests
    lean: Range
    chin: Range
    amplitude: float
    restlessness: float
    frame_hw: tuple[int, int]
    view_m: Range
    middle_m: Range
    distance_m: Range
    azimuth: Range
    azimuth_by_clip: float
    elevation: Range
    shake: float
    noise: float
    resolution_px: float
    drop_per_s: float
    occluder: float
    swap: float


_SEATED_RESTS = (("thigh", 0.45), ("lap", 0.25), ("inner_thigh", 0.15), ("knee", 0.15))
_STANDING_RESTS = (("side", 0.4), ("belly", 0.4), ("waist", 0.05), ("front", 0.15))

DOMAIN_TABLE: tuple[Domain, ...] = (
    Domain(
        "laboratory",
        standing=0.0,
        rests=(*_SEATED_RESTS, ("belly", 0.08), ("side", 0.07), ("waist", 0.02)),
        standing_rests=_STANDING_RESTS,
        lean=(0.05, 0.05),
        chin=(0.02, 0.05),
        amplitude=1.0,
        restlessness=1.0,
        frame_hw=(1080, 1296),
        view_m=(1.35, 1.8),
        middle_m=(0.1, 0.22),
        distance_m=(2.4, 3.0),
        azimuth=(0.0, 0.2),
        azimuth_by_clip=0.05,
        elevation=(-0.05, 0.2),
        shake=0.0,
        noise=1.0,
        resolution_px=1.0,
        drop_per_s=0.15,
        occluder=0.05,
        swap=0.003,
    ),
    Domain(
        "psychiatric",
        standing=0.0,
        rests=(("thigh", 0.3), ("lap", 0.5), ("inner_thigh", 0.2)),
        standing_rests=_STANDING_RESTS,
        lean=(0.2, 0.08),
        chin=(0.12, 0.09),
        amplitude=0.65,
        restlessness=1.2,
        frame_hw=(1080, 1920),
        view_m=(0.95, 1.3),
        middle_m=(0.26, 0.38),
        distance_m=(1.8, 2.4),
        azimuth=(0.2, 0.55),
        azimuth_by_clip=0.06,
        elevation=(0.05, 0.25),
        shake=0.0,
        noise=1.5,
        resolution_px=1.5,
        drop_per_s=0.2,
        occluder=0.05,
        swap=0.006,
    ),
    Domain(
        "street",
        standing=0.9,
        rests=_SEATED_RESTS,
        standing_rests=_STANDING_RESTS,
        lean=(0.0, 0.05),
        chin=(0.0, 0.08),
        amplitude=1.05,
        restlessness=1.5,
        frame_hw=(1080, 1920),
        view_m=(1.1, 1.8),
        middle_m=(0.2, 0.4),
        distance_m=(1.8, 4.0),
        azimuth=(0.15, 0.65),
        azimuth_by_clip=0.1,
        elevation=(-0.1, 0.2),
        shake=0.006,
        noise=1.5,
        resolution_px=2.0,
        drop_per_s=0.3,
        occluder=0.2,
        swap=0.02,
    ),
    Domain(
        "emotion",
        standing=0.35,
        rests=(("lap", 0.4), ("belly", 0.3), ("front", 0.15), ("thigh", 0.15)),
        standing_rests=_STANDING_RESTS,
        lean=(0.08, 0.1),
        chin=(0.0, 0.12),
        amplitude=0.9,
        restlessness=2.0,
        frame_hw=(480, 854),
        view_m=(0.62, 0.9),
        middle_m=(0.48, 0.6),
        distance_m=(1.2, 3.0),
        azimuth=(0.1, 0.8),
        azimuth_by_clip=0.2,
        elevation=(-0.12, 0.2),
        shake=0.006,
        noise=1.8,
        resolution_px=2.2,
        drop_per_s=0.4,
        occluder=0.15,
        swap=0.02,
    ),
)


@dataclass(frozen=True)
class Setting:
    """Where a subject is recorded: what stays over that subject's clips.

    Attributes:
        domain: whose.
        posture: seated or standing.
        rests: preferred rest places of the left and the right hand.
        lean: bend of the trunk, radians.
        chin: pitch of the head, radians.
        apart: half the distance of the feet as a multiple of the hips'.
        ahead: shin lengths by which seated feet stand before the knees.
        view_m: metres in the picture's height.
        middle_m: height in its middle above the pelvis.
        distance_m: of the camera.
        azimuth: radians.
        elevation: radians.
    """

    domain: Domain
    posture: Posture
    rests: tuple[str, str]
    lean: float
    chin: float
    apart: float
    ahead: float
    view_m: float
    middle_m: float
    distance_m: float
    azimuth: float
    elevation: float


def domain_named(name: str) -> Domain:
    """A domain of the table.

    Raises:
        ValueError: no such domain.
    """
    for domain in DOMAIN_TABLE:
        if domain.name == name:
            return domain
    raise ValueError(f"expected a domain of {', '.join(d.name for d in DOMAIN_TABLE)}, got {name!r}")


def draw_setting(domain: Domain, rng: np.random.Generator, obliqueness: float = 1.0) -> Setting:
    """Seat, posture and camera of a subject; `obliqueness` multiplies the camera's way from the front."""
    posture: Posture = "standing" if rng.random() < domain.standing else "seated"
    left = draw_rest(domain, posture, rng)
    right = left if rng.random() < 0.7 else draw_rest(domain, posture, rng)
    aside = float(rng.uniform(*domain.azimuth)) * (1 if rng.random() < 0.5 else -1)
    return Setting(
        domain,
        posture,
        (left, right),
        lean=float(np.clip(rng.normal(*domain.lean), -0.15, 0.4)),
        chin=float(np.clip(rng.normal(*domain.chin), -0.25, 0.35)),
        apart=float(rng.uniform(0.7, 2.0)),
        ahead=float(rng.uniform(-0.15, 0.2)),
        view_m=float(rng.uniform(*domain.view_m)),
        middle_m=float(rng.uniform(*domain.middle_m)),
        distance_m=float(rng.uniform(*domain.distance_m)),
        azimuth=aside * obliqueness,
        elevation=float(rng.uniform(*domain.elevation)) * obliqueness,
    )


def draw_rest(domain: Domain, posture: Posture, rng: np.random.Generator) -> str:
    """A place for a resting hand."""
    rests = domain.standing_rests if posture == "standing" else domain.rests
    weights = np.array([weight for _, weight in rests])
    return rests[int(rng.choice(len(rests), p=weights / weights.sum()))][0]


def clip_camera(
    setting: Setting, time_s: Array, rng: np.random.Generator, shake: float = 1.0, obliqueness: float = 1.0
) -> Camera:
    """The camera of one clip: the subject's, turned a little, and wandering where it is held by hand."""
    domain = setting.domain
    height = domain.frame_hw[0]
    turn = float(rng.normal(0, domain.azimuth_by_clip)) * obliqueness
    view_m = setting.view_m * float(np.exp(rng.normal(0, 0.03)))
    middle = np.array([rng.normal(0, 0.03), setting.middle_m + rng.normal(0, 0.02), 0.05], np.float32)
    focal_px = height * setting.distance_m / view_m
    moved = domain.shake * shake
    if moved == 0:
        azimuth = setting.azimuth + turn
        return Camera(setting.distance_m, azimuth, setting.elevation, 0.0, middle, focal_px, domain.frame_hw)
    waves = np.stack([wander(rng, time_s, hz) for hz in (0.25, 0.25, 0.4, 0.8, 0.8, 0.3)])  # (6, T)
    distance = setting.distance_m * np.maximum(1 + 1.5 * moved * waves[5], 0.3)
    target = middle + moved * setting.distance_m * np.stack([waves[3], waves[4], 0 * waves[3]], axis=1)
    return Camera(
        distance.astype(np.float32),
        (setting.azimuth + turn + 2.5 * moved * waves[0]).astype(np.float32),
        (setting.elevation + 0.7 * moved * waves[1]).astype(np.float32),
        (0.6 * moved * waves[2]).astype(np.float32),
        target.astype(np.float32),
        focal_px,
        domain.frame_hw,
    )
