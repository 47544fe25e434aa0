"""Networks and heatmaps on a GPU equal those on the processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.skeleton_models.tiny import GRAPH, HEATMAP, fitting, tiny

from poses.layout import get_layout
from skeleton_models import heatmap, heatmap_torch
from skeleton_models.heatmap import joint_drawing, limb_drawing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]


@pytest.fixture(autouse=True)
def exact_products():
    """Without the shortened products of TensorFloat-32, which differ in the third digit."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("name", [*GRAPH, *HEATMAP])
def test_outputs_and_gradients_equal_those_of_the_processor(name: str) -> None:
    results = []
    for device in ("cpu", "cuda"):
        model = tiny(name).eval().to(device)  # evaluation: dropout draws differently on each device
        out = model(fitting(name).to(device))
        out.square().sum().backward()
        results.append([out, *(p.grad for p in model.parameters())])
    for ours, expected in zip(results[1], results[0], strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(ours.cpu(), expected, rtol=0, atol=2e-3 * scale + 1e-6)
    assert (results[1][0].cpu() - results[0][0]).abs().max() <= 1e-4 * results[0][0].abs().max()


@pytest.mark.parametrize("name", GRAPH)
def test_absent_persons_are_left_out_on_a_gpu_too(name: str) -> None:
    x, present = fitting(name, persons=2), torch.tensor([[True, False], [False, True]])
    with torch.no_grad():
        expected = tiny(name).eval()(x, present)
        poisoned = torch.where(present[..., None, None, None], x, torch.nan).cuda()
        ours = tiny(name).eval().cuda()(poisoned, present.cuda()).cpu()
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("kind", [joint_drawing, limb_drawing])
def test_volumes_drawn_on_a_gpu_equal_the_kernels(kind) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(4)
    points = rng.uniform(-3, 40, (4, 2, 48, 17, 3))
    points[..., 2] = rng.random(points.shape[:-1])
    points[rng.random(points.shape[:-1]) < 0.2] = [np.nan, np.nan, 0]
    points = points.astype(np.float32)
    drawing = kind(get_layout("coco17"), 0.6)
    expected = np.empty((4, 17, 48, 36, 40), np.float32)
    heatmap.render(points, drawing, expected, target=np.arange(4), mirrored=np.full(4, -1))
    ours = heatmap_torch.render(torch.from_numpy(points).cuda(), drawing, (36, 40))
    assert ours.is_cuda
    np.testing.assert_allclose(ours.cpu().numpy(), expected, rtol=0, atol=1e-5)
    assert expected.max() > 0.5
