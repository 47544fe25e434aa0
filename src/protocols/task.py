"""What one row of a benchmark's table asks: train here, measure there."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.protocol import Protocol, Split


@dataclass(frozen=True)
class Task:
    """Training clips, measured clips, and the clips from which K shots a class may be drawn.

    Attributes:
        benchmark: such as `mma82/cross-domain`.
        name: of the row, such as `laboratory to street`; unique within the benchmark.
        source: what is trained, and validated; tasks whose sources have one name share the trained network.
        target: what is measured; its clips are in none of the source's `train` and `val`, nor in `support`.
        source_domain: name of the source's domain, as in published tables; empty where there is one only.
        target_domain: of the target's.
        support: the target's training clips, from which shots are drawn; None where there are no shots.
        shots: numbers of clips a class, K, that are run beside the source's network alone.

    Raises:
        ValueError: a measured clip that is trained or drawn from; named.
    """

    benchmark: str
    name: str
    source: Protocol
    target: Split
    source_domain: str = ""
    target_domain: str = ""
    support: Split | None = None
    shots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for split in ("train", "val"):
            if split in self.source.splits:
                seen.update(self.source.splits[split].clip_ids)
        if self.support is not None:
            seen.update(self.support.clip_ids)
        both = [clip_id for clip_id in self.target.clip_ids if clip_id in seen]
        if both:
            raise ValueError(
                f"task {self.name!r}: {len(both)} measured clips are trained or drawn from too, "
                f"such as {both[0]!r}"
            )
