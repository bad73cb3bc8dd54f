"""The page, operated by a script in a browser, shows what the package computes."""

import base64
import json
import re
import zlib

import numpy as np
import pytest
import torch
from helpers import BROWSER, dump_dom, fill_randomly
from made_jester import make_jester
from made_runs import video

from cpnet.__main__ import main
from cpnet.data.transforms import normalise
from cpnet.engine.machine import Machine
from cpnet.experiments import reproduce
from cpnet.explorer import TRUE, explore, page
from cpnet.models import create_model
from cpnet.models.look import cp_modules, look
from cpnet.standins.truth import truth
from cpnet.standins.write import compose_clips

ARGUMENTS = {"num_classes": 5, "width": 8, "stem": "112_no_pool"}


@pytest.fixture(scope="module")
def shown():
    """A network, a clip, and what the page holds."""
    net = fill_randomly(create_model("cpnet_resnet18", positions="4", k=4, **ARGUMENTS)).eval()
    (film,) = compose_clips("something", ["Moving something up"], 40)
    frames = film.frames()[::8, :40, 6:46]
    clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)
    grids = {one.size[1:] for one in look(net, normalise(clip))}
    truths = {grid: truth(film, range(0, film.shape[0], 8), 40, grid) for grid in grids}
    plain, attending = (
        fill_randomly(create_model(f"{name}_resnet18", **ARGUMENTS), seed=1).eval() for name in ("c2d", "nl")
    )
    return net, clip, truths, explore(net, clip, "up", {"C2D": plain}, truths.__getitem__, attending), attending


def unpacked(text, kind):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=kind)


def attended(attending, clip, net, module):
    """Weights (N, M) of the NL block beside a CP module, from every position of its search, by the block itself."""
    seen, place = look(net, normalise(clip))[module], [place for _, place, _ in cp_modules(net)][module]
    block, kept = attending.block(place).nl[0], []
    hook = block.register_forward_hook(lambda _, inputs, output: kept.append(inputs[0]))
    attending(normalise(clip)[None])
    hook.remove()
    keys = block.pool(kept[0])
    theta, phi = (
        e[0].flatten(1).T for e in (block.theta(kept[0])[..., :: seen.shrink, :: seen.shrink], block.phi(keys))
    )
    return (theta @ phi.T * theta.shape[1] ** -0.5).softmax(1).detach(), keys.shape[2:]


def test_a_page_holds_what_non_local_blocks_attend_to(shown):
    net, clip, _, data, attending = shown
    for i, module in enumerate(data["modules"]):
        weights, grid = attended(attending, clip, net, i)
        shares = unpacked(module["heat"]["shares"], np.uint8).reshape(weights.shape)
        assert tuple(grid) == tuple(module["heat"]["grid"])
        assert np.abs(shares - (255 * weights / weights.amax(1, keepdim=True)).numpy()).max() <= 0.51


def test_a_page_holds_proposals_winners_at_every_k_and_the_truth(shown):
    net, clip, truths, data, _ = shown
    for one, module in zip(look(net, normalise(clip)), data["modules"], strict=True):
        N, k = one.indices.shape
        packed = unpacked(module["nets"]["trained"], "<u2").reshape(N, k)
        near = np.take_along_axis(truths[one.size[1:]].near, one.indices.numpy(), 1)
        assert np.array_equal(packed % TRUE, one.indices.numpy()) and np.array_equal(packed >= TRUE, near)
        wins = unpacked(module["wins"], np.uint8).reshape(-1, N)
        assert wins.shape[0] == k * (k + 1) // 2 and np.array_equal(wins[-k:].T, one.wins.numpy())
        assert not np.array_equal(unpacked(module["nets"]["C2D"], "<u2"), packed.ravel())
    assert net.k == 4


def test_a_page_needs_nothing_from_elsewhere(shown):
    text = page([shown[3]], "a note </script> of its own", alone=True)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text) and text.count("</script>") == 2


OPERATE = """
<script>
(async () => {
const svg = document.querySelector(".cpx svg"), form = document.querySelector(".cpx form"), said = [];
const arrows = () => [...svg.querySelectorAll(".arrow")].map((a) => [a.dataset.to, a.dataset.wins, a.dataset.true]);
const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const set = (name, value) => { form.elements[name].value = value; form.dispatchEvent(new Event("input")); };
while (!arrows().length) await new Promise((later) => setTimeout(later, 20));
said.push(arrows());
set("module", 2); set("k", 3); set("net", "trained");
const box = svg.getBoundingClientRect(), unit = box.width / svg.viewBox.baseVal.width;
const click = (x, y) => svg.dispatchEvent(
  new PointerEvent("pointerdown", { clientX: box.left + x * unit, clientY: box.top + y * unit }));
click(43 + 21, 13); // second frame, of 40 and a gap of 3: the third of rows 8 pixels apart, the fourth column
said.push(arrows());
key("ArrowRight"); key("ArrowDown"); key("PageDown"); key("ArrowLeft"); key("ArrowLeft");
said.push(arrows());
set("net", "C2D");
said.push(arrows(), document.querySelector(".cpx p[role=status]").textContent);
set("net", "NL C2D, attention");
said.push([...svg.querySelectorAll(".heat")].map((a) => Number(a.dataset.share)), arrows().length);
document.body.append(Object.assign(document.createElement("pre"), { id: "said", textContent: JSON.stringify(said) }));
})();
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_clicks_and_keys_show_what_the_package_computes(shown, tmp_path):
    net, clip, truths, data, attending = shown
    (tmp_path / "page.html").write_text(page([data], "", alone=True) + OPERATE)
    options = "--window-size=1000,800", "--virtual-time-budget=20000"
    dom = dump_dom(tmp_path / "page.html", tmp_path / "profile", *options)
    first, clicked, moved, plain, status, heat, arrows = json.loads(re.search(r'<pre id="said">(.*?)</pre>', dom)[1])

    def expected(module, place, k):
        one = look(net, normalise(clip))[module]
        net.k = k  # of this module alone: what comes in is the trained network's
        seen = [m for _, _, m in cp_modules(net)][module](one.before[None], return_proposals=True)[1]
        net.k = 4
        one = one._replace(indices=seen.indices[0], wins=seen.wins[0])
        n = np.ravel_multi_index(place, one.size)
        near = truths[one.size[1:]].near[n]
        places = [np.unravel_index(i, one.size) for i in one.indices[n].tolist()]
        texts = [",".join(map(str, map(int, place))) for place in places]
        flags = ["true" if near[i] else "false" for i in one.indices[n].tolist()]
        return [list(line) for line in zip(texts, map(str, one.wins[n].tolist()), flags, strict=True)]

    start = data["start"]
    assert first == expected(0, (start["t"], start["r"], start["c"]), 4)
    assert clicked == expected(2, (1, 2, 3), 3) and moved == expected(2, (2, 3, 2), 3)
    assert len(plain) == 3 and all(wins == "" for _, wins, _ in plain)
    assert status.startswith("Frame 3, row 4 of 5, column 3 of 5: ") and "win" not in status
    weights = attended(attending, clip, net, 2)[0][np.ravel_multi_index((2, 3, 2), (5, 5, 5))].numpy()
    assert np.abs(heat - 255 * weights / weights.max()).max() <= 0.51 and arrows == 0


def test_the_command_writes_a_page_of_any_video(tmp_path, roots, capsys):
    root = make_jester(tmp_path / "jester")
    reproduce([video()], Machine(data_root=root, progress=False))
    out, clip = tmp_path / "out.html", str(root / "20bn-jester-v1" / "3")
    main(["explore", clip, "--checkpoint", str(video().training.folder), "--out", str(out)])
    text = out.read_text()
    assert "3, seen by cpnet_resnet18, trained on jester." in text and '"known":false' in text
    assert f"wrote {out}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no video"):
        main(["explore", str(tmp_path / "none.mp4"), "--checkpoint", str(video().training.folder), "--out", str(out)])
