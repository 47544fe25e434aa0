"""The Ray engine: the same per-clip function on the nodes of a Ray cluster.

Every node must see the videos and the weights under the same paths. Rows travel back to the driver, which
alone writes the cache. A lost worker is replaced and its clip tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pose_extract.events import ClipDone, Event, FramesDone, StillWorking, WorkerReady, WorkerSetupError
from pose_extract.settings import ExtractSettings
from pose_extract.sources import VideoSource
from pose_extract.workers import Builder
from pose_extract.zoo import build_estimator

if TYPE_CHECKING:
    from poses.cache_schema import CacheRow

_TICK_S = 0.5
_TRIES = 3


class _ClipActor:
    """A process of the cluster that holds one loaded model."""

    def __init__(self, settings: ExtractSettings, build: Builder) -> None:
        from poses.layout import get_layout

        self._settings = settings
        self._layout = get_layout(settings.layout)
        self._estimator = build(settings)

    def runtime(self) -> str:
        return self._estimator.runtime

    def extract(self, source: VideoSource) -> CacheRow:
        from pose_extract.extract_clip import extract_clip_safely

        return extract_clip_safely(source, self._estimator, self._layout, self._settings.max_persons)


class RayEngine:
    """Actors on an existing Ray cluster (RAY_ADDRESS), or on a Ray started on this machine.

    Args:
        settings: resolved settings; with a `cuda` device every actor reserves one GPU.
        workers: number of actors; default: one per CPU or GPU of the cluster.

        build: loads the model; a function that the nodes can import.

    Raises:
        ImportError: Ray is not installed.
    """

    def __init__(
        self, settings: ExtractSettings, workers: int | None = None, build: Builder = build_estimator
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise ImportError("--engine ray needs Ray: pip install 'fidget[ray]'") from error
        self._ray = ray
        self._settings = settings
        self._workers = workers
        self._build = build

    def run(self, sources: Sequence[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
        """See `Engine.run`."""
        ray = self._ray
        ours = not ray.is_initialized()
        if ours:
            ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)
        try:
            yield from self._run(deque(sources), stopping)
        finally:
            if ours:
                ray.shutdown()

    def _run(self, todo: deque[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
        actors = self._start_actors(len(todo))
        yield WorkerReady(self._wait_for_model(actors[0]))
        busy: dict[Any, tuple[Any, VideoSource]] = {}
        idle = deque(actors)
        tries: dict[str, int] = {}
        while todo or busy:
            if stopping():
                todo.clear()
            while todo and idle:
                actor, source = idle.popleft(), todo.popleft()
                busy[actor.extract.remote(source)] = (actor, source)
            if not busy:
                break
            done, _ = self._ray.wait(list(busy), num_returns=1, timeout=_TICK_S)
            yield StillWorking()
            for reference in done:
                actor, source = busy.pop(reference)
                idle.append(actor)
                yield from self._collect(reference, source, todo, tries)

    def _start_actors(self, clips: int) -> list[Any]:
        on_gpu = self._settings.device.startswith(("cuda", "tensorrt"))
        resources = self._ray.cluster_resources()
        count = self._workers or int(resources.get("GPU" if on_gpu else "CPU", 1)) or 1
        actor = self._ray.remote(_ClipActor).options(
            num_cpus=1, num_gpus=1 if on_gpu else 0, max_restarts=-1, max_task_retries=0
        )
        return [actor.remote(self._settings, self._build) for _ in range(max(1, min(count, clips)))]

    def _wait_for_model(self, actor: Any) -> str:
        try:
            return str(self._ray.get(actor.runtime.remote()))
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-500:]
            raise WorkerSetupError(f"no Ray worker could load the model: {reason}") from error

    def _collect(
        self, reference: Any, source: VideoSource, todo: deque[VideoSource], tries: dict[str, int]
    ) -> Iterator[Event]:
        from pose_extract.extract_clip import stamp_of
        from poses.encoding import failed_row

        try:
            row = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # the worker was lost; Ray starts another
            tries[source.clip_id] = tries.get(source.clip_id, 0) + 1
            if tries[source.clip_id] < _TRIES:
                todo.append(source)
                return
            reason = f"the Ray worker was lost {_TRIES} times: {type(error).__name__}"
            row = failed_row(source.clip_id, stamp_of(source.path), reason)
        else:
            yield FramesDone(row.frames)
        yield ClipDone(row)
