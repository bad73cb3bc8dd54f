"""What a GPU must get right; none of these tests has been run on one yet."""

import copy
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import features, fill_randomly
from made_jester import make_jester

from cpnet import results
from cpnet.data.decode import decode_frames
from cpnet.data.layouts import read_index
from cpnet.data.videos import TrainingClips
from cpnet.engine.machine import Machine
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.train import train
from cpnet.models import create_model
from cpnet.nn import CPModule, correspondence_proposals

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]


@pytest.fixture(autouse=True)
def exact_convolutions():
    """No TF32, in which a GPU's convolutions round to ten bits unless told otherwise; matrix products do not."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


def distances(x, indices):
    """Distances (B, N, k) of proposals, in float64 on the CPU."""
    points = x.detach().cpu().double().flatten(2).transpose(1, 2)  # (B, N, C)
    indices = indices.cpu()
    neighbours = points[torch.arange(len(points))[:, None, None], indices]  # (B, N, k, C)
    return (neighbours - points[:, :, None]).norm(dim=3)


def nearest(x, k):
    """Distances (B, N, k) of the nearest positions of other frames, by brute force in float64 on the CPU."""
    points = x.detach().cpu().double().flatten(2).transpose(1, 2)  # (B, N, C)
    frame = torch.arange(points.shape[1]) // x[0, 0, 0].numel()
    d = (points[:, :, None] - points[:, None]).norm(dim=3)  # (B, N, N)
    return d.masked_fill(frame[:, None] == frame, torch.inf).topk(k, dim=2, largest=False).values


@pytest.mark.parametrize("ties", ["random", "index"])
@pytest.mark.parametrize("shape", [(2, 8, 3, 4, 5), (1, 16, 4, 9, 9), (3, 4, 2, 16, 16)])
def test_the_search_equals_brute_force(shape, ties):
    x = features(*shape, dtype=torch.float32)
    found = correspondence_proposals(x.cuda(), 6, ties=ties)
    assert found.is_cuda
    torch.testing.assert_close(distances(x, found), nearest(x, 6), rtol=1e-4, atol=1e-4)


def test_ties_are_drawn_as_on_the_cpu():
    x = torch.zeros(2, 4, 3, 5, 5)
    seeds = torch.tensor([3, 4])
    on_gpu = correspondence_proposals(x.cuda(), 4, seeds=seeds.cuda()).cpu()
    torch.testing.assert_close(on_gpu.sort(2).values, correspondence_proposals(x, 4, seeds=seeds).sort(2).values)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_autocast_ranks_in_float32(precision):
    x = 8 * features(2, 16, 3, 6, 6, dtype=torch.float32) + 100  # half precision would see few distinct values
    with torch.autocast("cuda", dtype=precision):
        found = correspondence_proposals(x.cuda(), 5)
    torch.testing.assert_close(distances(x, found), nearest(x, 5), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pool", ["before_projection", "after_projection"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_cp_module_and_its_gradients_are_those_of_the_cpu(pool, training):
    """In float64, where the two devices' rounding changes no winner."""
    module = fill_randomly(CPModule(8, 4, pool=pool, ties="index").double()).train(training)
    x, weights = features(2, 8, 3, 5, 5), features(2, 8, 3, 5, 5, seed=1)
    found = []
    for device in ("cpu", "cuda"):
        twin, clip = copy.deepcopy(module).to(device), x.to(device).requires_grad_()
        y = twin(clip)
        (y * weights.to(device)).sum().backward()
        numbers = [y.detach(), clip.grad, *(p.grad for p in twin.parameters()), *twin.buffers()]
        found.append([n.cpu() for n in numbers])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("precision", [None, torch.bfloat16], ids=["fp32", "bf16"])
def test_training_steps_lower_the_loss_of_a_batch(precision):
    torch.manual_seed(0)
    net = create_model("cpnet_resnet18", num_classes=3, width=8, positions="2", dropout=0.0).cuda().train()
    clips, labels = torch.randn(6, 3, 4, 32, 32, device="cuda"), (torch.arange(6) % 3).cuda()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    losses = []
    for _ in range(15):
        with torch.autocast("cuda", dtype=precision, enabled=precision is not None):
            loss = F.cross_entropy(net(clips).float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_phases_are_trained(tmp_path, precision):
    index = read_index("jester", make_jester(tmp_path / "data", train=12, val=0), "train")
    phases = (Phase(epochs=2, num_frames=3, frame_step=1, lr=0.02), Phase(1, 4, 1, 0.005, freeze_bn=True))
    recipe = Recipe(phases, batch_size=4, decay_epochs=1, precision=precision)

    def clips(phase):
        length = {"num_frames": phase.num_frames, "frame_step": phase.frame_step}
        return TrainingClips(index, **length, size=16, read=decode_frames, seed=recipe.seed)

    model = create_model("cpnet_resnet18", num_classes=3, width=4, positions="4", k=2)
    history = train(model, clips, recipe, tmp_path / "run", machine=Machine("cuda", progress=False))
    assert [(epoch["phase"], epoch["epoch"]) for epoch in history] == [(0, 0), (0, 1), (1, 0)]
    assert all(np.isfinite(epoch["train_loss"]) for epoch in history)
    assert all(p.is_cuda and p.isfinite().all() for p in model.parameters())


def test_a_chapter_trains_its_miniature(tmp_path):
    notebook, out = results.REPOSITORY / "notebooks" / "01_toy_failure.ipynb", tmp_path / "out.ipynb"
    parameters = {"device": "cuda", "profile": "smoke", "rerun": "True"}
    options = [word for name, value in parameters.items() for word in ("-p", name, value)]
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "--no-progress-bar", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=results.REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert not [o for c in nbformat.read(out, as_version=4).cells for o in c.get("outputs", []) if "ename" in o]
