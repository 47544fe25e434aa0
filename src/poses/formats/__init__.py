"""Foreign file formats: readers yield, and writers take, `LabelledClip`s one at a time.

`pyskl` (also mmaction2), `coco`, `mmpose_video` (read only), `npz`, `long_csv`, `openpose`. docs/formats.md
has them key by key, and says what each cannot hold.
"""
