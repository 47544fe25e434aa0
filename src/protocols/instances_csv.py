"""A detection table as CSV text, in the columns that `read_detection_columns` looks for by itself."""

from __future__ import annotations

import csv
import io

from protocols.detection_table import DetectionTable, by_video

INSTANCE_COLUMNS = (
    "clip_id",
    "label",
    "t_start_s",
    "t_end_s",
    "split",
    "class_name",
    "group_name",
    "domain",
    "subject",
    "duration_s",
    "total_frames",
    "fps",
    "simulated",
)


def instances_csv(table: DetectionTable) -> str:
    """One line an instance, by video; a video without instances has one without label and times.

    Lines end with a newline alone; numbers are written so that they are read as they were.
    """
    tree, of_video = table.tree, by_video(table.instances)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(INSTANCE_COLUMNS)
    for row, video_id in enumerate(table.video_ids):
        seconds, fps = float(table.duration_s[row]), table.fps[row]
        known = seconds == seconds
        of_this = (
            table.domains[row],
            table.subjects[row],
            repr(seconds) if known else "",
            round(seconds * fps) if known and fps is not None else "",
            "" if fps is None else str(fps),
            "true" if table.simulated else "false",
        )
        split = table.splits[row]
        for one in of_video.get(video_id, ()):
            group = tree.groups[tree.group_of[one.label]] if tree.groups else ""
            times = repr(float(one.t_start_s)), repr(float(one.t_end_s))
            rows.writerow([video_id, one.label, *times, split, tree.actions[one.label], group, *of_this])
        if video_id not in of_video:
            rows.writerow([video_id, "", "", "", split, "", "", *of_this])
    return text.getvalue()
