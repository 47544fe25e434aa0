"""Joints in space from file to cache and back, on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fidget.cli.main import main
from poses.cache_reader import PoseCache
from protocols.catalogue import find_protocol


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "demo.npz",
        xyz=rng.normal(size=(9, 20, 3)).astype(np.float32),
        offsets=np.array([0, 4, 5, 9]),
        labels=np.array([0, 1, 0]),
        split=np.array(["train", "train", "test"]),
        names=np.array(["a01_s01_e00_v01", "a02_s01_e00_v02", "a01_s01_e00_v03"]),
        class_names=np.array(["pick, slowly", "drop"]),
    )
    return tmp_path / "demo.npz"


def test_import_inspect_export(tmp_path, source, capsys):
    out = tmp_path / "demo"
    assert main(["poses", "import", str(source), "-o", str(out)]) == 0
    assert main(["poses", "check", str(out)]) == 0
    assert main(["poses", "inspect", str(out)]) == 0
    assert "nwucla20 (20 joints in space)" in capsys.readouterr().out
    cache = PoseCache(out)
    xyz, _ = cache.view().read_xyz("a02_s01_e00_v02")
    np.testing.assert_allclose(xyz[0], np.load(source)["xyz"][4:5], atol=1e-4)
    protocol = find_protocol(f"{out}-labels.csv", cache.clip_ids)
    assert protocol.tree.actions == ("pick, slowly", "drop")
    assert find_protocol("nw_ucla_full", cache.clip_ids).splits == protocol.splits
    assert main(["poses", "export", str(out), "--format", "npz", "-o", str(tmp_path / "again.npz")]) == 0
    assert "note" not in capsys.readouterr().out
    assert main(["poses", "import", str(tmp_path / "again.npz"), "-o", str(tmp_path / "again")]) == 0
    for clip_id in cache.clip_ids:
        np.testing.assert_array_equal(PoseCache(tmp_path / "again").read(clip_id).z, cache.read(clip_id).z)


@pytest.mark.parametrize("format_name", ["pyskl", "coco", "csv"])
def test_formats_of_the_plane_say_that_z_is_dropped(tmp_path, source, capsys, format_name):
    main(["poses", "import", str(source), "-o", str(tmp_path / "demo")])
    out = tmp_path / "x.out"
    assert main(["poses", "export", str(tmp_path / "demo"), "--format", format_name, "-o", str(out)]) == 0
    assert "without the third coordinate" in capsys.readouterr().out
    command = [
        "poses",
        "export",
        str(tmp_path / "demo"),
        "--format",
        format_name,
        "-o",
        str(out),
        "--overwrite",
    ]
    assert main([*command, "--layout", "nwucla20/body"]) in (1, 2)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "clips", "axes"), [("nw_ucla", 1484, "xyz"), ("jhmdb_gt_split1", 609, "xy")]
)
def test_the_real_files(tmp_path, shared_dir, capsys, name, clips, axes):
    path = shared_dir / "data" / "skeletons" / f"{name}.npz"
    assert main(["poses", "import", str(path), "-o", str(tmp_path / "x"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["imported"] == clips
    cache = PoseCache(tmp_path / "x")
    assert cache.metadata.axes == axes
    full = find_protocol({"nw_ucla": "nw_ucla_full"}.get(name, "jhmdb14_full"), cache.clip_ids)
    listed = find_protocol(tmp_path / "x-labels.csv", cache.clip_ids)
    assert full.splits == listed.splits and full.tree.actions == listed.tree.actions
