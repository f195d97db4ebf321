"""What do a net's values see of texture and sharpness? Textures by depth, optimizers, pools, weights, and enlarging.

    python -m experiments.perceptual              minutes on one core; it goes on where it was stopped
    python -m experiments.perceptual --collect    write the result of the pieces that are finished

Needs CIFAR-10 and, in the file that VGG_COURSE_WEIGHTS names, the convolutions of torchvision's VGG-16 (ImageNet). Contents
and styles of paintings are drawn by vgg_course.synthetic and vgg_course.perceptual. Four nets look: VGG-16 with ImageNet's
weights ("imagenet"), the same with random ones ("random16": He's, biases 0), the net that ships with the course ("small"),
and that with random weights ("random"). Writes book/results/perceptual.json:

    textures[net][depth]    Gram matrices of the first `depth` of STYLE's layers alone, from noise: .likeness, by style, how far
                            the painting's autocorrelation is from the style's (0: alike; see likeness()), which no loss here
                            looks at; .noise: the same for the noise that it began with
    optimizers[name]        the loss after 1, 2, 5, 10, ... looks, over seeds; a style transfer by the small net
    pools[net][pool]        textures with these pools, over seeds: likeness; grain: what differs within 2x2 squares, over the
                            style's; still: share of the pixels whose first gradient is below a tenth of the mean
    weights[net]            style transfer from the content, by weight of the style: what content and style cost in the end
    starts                  the same from noise and from the content, over seeds
    content_layers          content alone, by layer, from noise: mean squared error of the pixels
    enlarging[loss]         8x8 to 32x32 photographs, over seeds: see judged(); `validation` images only
    pictures                base64 of JPEG, by name: what the chapter shows

How it came about, for whoever weighs the numbers. Average pools, the little noise to begin with, and 60 looks were settled by
looking at textures. A first likeness (gray values, normalized, 33x33 distances) put every painting near 1, another piece of
the style not tried; this one was kept because it tells another piece, another style and gray apart. "starts" was first run
with a style weight of 10, where neither start kept the content. Enlarging was first done by the shuffling enlarger for all
losses: with "both" it drew a fainter grid (PSNR 21.2, sister's accuracy 72 %); then came the enlarger without a grid, and
"shuffled" is what is left of the first. A perceptual loss through average pools was begun and given up after one seed (PSNR
18.7). PIXELS was set by size, not searched. All of this was seen on the validation images that are reported here; no test
image was looked at. So small differences between losses say little.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import perceptual, trained, weights
from vgg_course.answers import predict
from vgg_course.model import vgg
from vgg_course.perceptual import (
    STYLE,
    Enlarger,
    Eye,
    content_loss,
    draw_style,
    enlarge,
    noise,
    paint,
    psnr,
    shrink,
    teach,
    total_variation,
)
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.synthetic import draw
from vgg_course.training import fit

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SIZE, SHOWN, STEPS = 64, 96, 60  # pixels of what is measured, and of what is looked at
STYLES = ("mosaic", "strokes")
NETS = ("imagenet", "random16", "small", "random")
SEEDS = (1, 2, 3)
LOOKS = (1, 2, 5, 10, 20, 40, 60)
RATES = (0.01, 0.03, 0.1)
WEIGHTS = (0.1, 1.0, 10.0, 100.0)
CONTENT_SEED, CONTENT_PLACE = 5, 1  # which drawn picture
CONTENT_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_2", "relu5_1")
FACTOR, TAUGHT, JUDGED, SISTER = 4, 600, 300, 7
LOSSES = ("pixel", "perceptual", "both", "shuffled")  # shuffled: perceptual, by an enlarger that shuffles
PIXELS = 30.0  # weight of the pixels in "both": of the size of the other part
EYE_LAYERS = ("relu2_2",)  # of the perceptual loss: those of Johnson et al. for super-resolution
DONE = Path(__file__).resolve().parents[1] / "build" / "perceptual"  # one file a finished piece


# --- nets, contents, measures ---


def wide(known: bool, pool: str = "average") -> Eye:
    net = vgg("D", hidden=(), classes=3, initialization="he", generator=torch.Generator().manual_seed(0))
    if known and not weights.features_from_environment(net):
        raise SystemExit(f"error: {weights.ENVIRONMENT} names no file with the convolutions of VGG-16")
    return Eye(net, **IMAGENET, pool=pool)


def eye_of(name: str, pool: str = "average") -> Eye:
    card = trained.card("small_vgg")
    match name:
        case "imagenet" | "random16":
            return wide(name == "imagenet", pool)
        case "small":
            return Eye(trained.load("small_vgg"), card.mean, card.std, pool)
    return Eye(small_vgg(seed=0, initialization="he"), card.mean, card.std, pool)


def content(size: int = SIZE) -> Tensor:
    """An airplane, drawn by the course."""
    return draw(8, CONTENT_SEED, size).images[CONTENT_PLACE][None].float() / 255


def autocorrelation(picture: Tensor, reach: int = 5) -> Tensor:
    """How colors vary together, by how far apart pixels lie: ``(3, 3, 2 reach + 1, 2 reach + 1)``, with no net at all."""
    colors = picture.double()[0]
    colors = colors - colors.mean((1, 2), keepdim=True)
    side = 2 * colors.shape[1]  # room, so that the far edge is no neighbor
    spectrum = torch.fft.fft2(colors, (side, side))
    covered = torch.fft.fft2(torch.ones_like(colors[0]), (side, side)).abs().square()
    pairs = torch.fft.ifft2(covered).real.clamp(min=0.5)  # how many there are at each distance
    products = torch.fft.ifft2(spectrum[:, None].conj() * spectrum[None]).real / pairs
    near = slice(side // 2 - reach, side // 2 + reach + 1)
    return torch.fft.fftshift(products, dim=(2, 3))[..., near, near]


def likeness(picture: Tensor, style: Tensor) -> float:
    """Distance of two autocorrelations as a share of the length of the style's: 0 for a twin, 1 for a gray picture."""
    found, wanted = autocorrelation(picture), autocorrelation(style)
    return float((found - wanted).norm() / wanted.norm())


def packed(picture: Tensor) -> str:
    """One picture ``(1, 3, H, W)`` from 0 to 1 as base64 of JPEG."""
    from PIL import Image

    pixels = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=0)
    return base64.b64encode(file.getvalue()).decode()


# --- paintings ---


def textures(net: str) -> dict:
    eye, found = eye_of(net), {}
    for depth in range(1, 6):
        found[str(depth)] = {"likeness": {}, "pictures": {}}
        for name in STYLES:
            style = draw_style(name, SIZE)
            done = paint(eye, noise(SIZE), style=style, style_layers=STYLE[:depth], steps=STEPS)
            found[str(depth)]["likeness"][name] = likeness(done.picture, style)
            found[str(depth)]["pictures"][name] = packed(done.picture)
            print(net, depth, name, f"{found[str(depth)]['likeness'][name]:.3f}", done, flush=True)
    return found


def optimizers() -> dict:
    eye, style, found = eye_of("small"), draw_style("mosaic", SIZE), {}
    for name, changes in (
        ("L-BFGS", {}),
        *((f"Adam {rate:g}", {"optimizer": "Adam", "learning_rate": rate}) for rate in RATES),
    ):
        losses = [
            paint(eye, noise(SIZE, seed), content=content(), style=style, steps=LOOKS[-1], **changes).losses
            for seed in SEEDS
        ]
        found[name] = {str(look): summary([some[look - 1] for some in losses]) for look in LOOKS}
        print(name, {look: f"{found[name][look]['mean']:.4f}" for look in found[name]}, flush=True)
    return found


def pools() -> dict:
    found = {}
    for net in ("imagenet", "small"):
        found[net] = {}
        for pool in perceptual.POOLS:
            eye, style = eye_of(net, pool), draw_style("mosaic", SIZE)
            wanted, rows = eye(style, *STYLE), {"likeness": [], "grain": [], "still": []}
            for seed in SEEDS:
                start = noise(SIZE, seed).requires_grad_()
                (slope,) = torch.autograd.grad(perceptual.style_loss(eye(start, *STYLE), wanted), start)
                slope = slope.abs().sum(1)
                rows["still"].append(float((slope < 0.1 * slope.mean()).float().mean()))
                done = paint(eye, start, style=style, steps=STEPS)
                rows["likeness"].append(likeness(done.picture, style))
                rows["grain"].append(grain(done.picture) / grain(style))
                if seed == SEEDS[0]:
                    picture = packed(done.picture)
                print(net, pool, seed, {name: f"{some[-1]:.3f}" for name, some in rows.items()}, done, flush=True)
            found[net][pool] = {**{name: summary(some) for name, some in rows.items()}, "picture": picture}
    return found


def grain(picture: Tensor) -> float:
    """Mean square of what is left when every 2x2 square is replaced by its mean: the finest of all that is there."""
    return float((picture - functional.interpolate(functional.avg_pool2d(picture, 2), scale_factor=2)).square().mean())


def transfers() -> dict:
    found = {"weights": {}, "pictures": {}}
    for net in ("imagenet", "small"):
        eye, style, plane = eye_of(net), draw_style("swirls", SHOWN), content(SHOWN)
        for weight in WEIGHTS:
            done = paint(eye, plane, content=plane, style=style, style_weight=weight, steps=STEPS)
            found["weights"].setdefault(net, {})[f"{weight:g}"] = done.parts
            found["pictures"][f"{net} {weight:g}"] = packed(done.picture)
            print(net, "weight", weight, done, flush=True)
    return found


def starts() -> dict:
    eye, style, plane, found = eye_of("imagenet"), draw_style("swirls", SIZE), content(), {"starts": {}, "pictures": {}}
    for name, starts in {"noise": [noise(SIZE, seed) for seed in SEEDS], "content": [plane]}.items():
        runs = []
        for start in starts:
            done = paint(eye, start, content=plane, style=style, steps=STEPS)
            runs.append({**done.parts, "loss": sum(done.parts.values())})
            found["pictures"].setdefault(name, packed(done.picture))
            print("from", name, done, flush=True)
        found["starts"][name] = {part: summary([run[part] for run in runs]) for part in runs[0]}
    return found


def content_layers() -> dict:
    eye, found = wide(True), {"error": {}, "pictures": {}}
    for layer in CONTENT_LAYERS:
        done = paint(eye, noise(SIZE), content=content(), content_layers=(layer,), steps=STEPS)
        found["error"][layer] = float((done.picture - content()).square().mean())
        found["pictures"][layer] = packed(done.picture)
        print(layer, found["error"][layer], done, flush=True)
    return found


# --- enlarging ---


def losses() -> dict:
    """By name, the loss of two batches of pictures."""
    eye = eye_of("small", "max")

    def perceived(found: Tensor, wanted: Tensor) -> Tensor:
        return content_loss(eye(found, *EYE_LAYERS), eye(wanted, *EYE_LAYERS))

    def both(found: Tensor, wanted: Tensor) -> Tensor:
        return perceived(found, wanted) + PIXELS * functional.mse_loss(found, wanted)

    return {"pixel": functional.mse_loss, "perceptual": perceived, "both": both, "shuffled": perceived}


def sister() -> torch.nn.Module:
    """The shipped net's recipe with another seed: a net that no loss here knows. Trained once, kept under build/."""
    data, net, path = photographs(validation_per_class=500), small_vgg(3, SISTER), DONE / "sister.safetensors"
    if path.exists():
        return weights.build(path)
    fit(net, data, QUICK, seed=SISTER)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.save(net, path)
    return net.eval()


def seams(pictures: Tensor) -> float:
    """The mean step between neighbors across the border of two cells over that within a cell; 1 where there is no grid."""
    steps = pictures.diff(dim=3).abs().mean((0, 1, 2))  # step i lies between columns i and i + 1
    border = (torch.arange(len(steps)) + 1) % FACTOR == 0
    return float(steps[border].mean() / steps[~border].mean())


@torch.no_grad()
def judged(found: Tensor, wanted: Tensor, labels: Tensor, judges: dict) -> dict:
    """Decibels, total variation over the original's, seams, distance as nets see it that no loss knew, the sister's accuracy."""
    found = found.clamp(0, 1)
    rows = {
        "psnr": psnr(found, wanted),
        "sharpness": float(total_variation(found) / total_variation(wanted)),
        "seams": seams(found),
    }
    for name, (eye, layers) in judges.items():
        parts = [
            content_loss(eye(a, *layers), eye(b, *layers))
            for a, b in zip(found.split(50), wanted.split(50), strict=True)
        ]
        rows[name] = float(torch.stack(parts).mean())
    data = photographs(validation_per_class=500)
    answers = predict(judges["sister"][0].net, data.normalize((found * 255).round().byte())).argmax(1)
    rows["accuracy"] = float((answers == labels).float().mean())
    return rows


def judges() -> dict:
    card, other, known = trained.card("small_vgg"), sister(), wide(True, "max")
    return {
        **{f"imagenet {layer}": (known, (layer,)) for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")},
        "sister": (Eye(other, card.mean, card.std), EYE_LAYERS),
        "random": (Eye(small_vgg(seed=1, initialization="he"), card.mean, card.std), EYE_LAYERS),
    }


def enlarging(name: str) -> dict:
    """By one of the losses, with all seeds; or "without": the original and bicubic enlarging."""
    data, known, shown = photographs(validation_per_class=500), judges(), [3, 51, 110, 151, 208, 265]
    chosen = torch.arange(0, len(data.validation.labels), len(data.validation.labels) // JUDGED)[:JUDGED]
    wanted, labels = data.validation.images[chosen].float() / 255, data.validation.labels[chosen]
    made = {}
    if name == "without":
        made = {"original": [wanted], "bicubic": [enlarge(shrink(wanted))]}
    else:
        pictures, loss = data.train.images.float() / 255, losses()[name]
        for seed in SEEDS:
            enlarger = Enlarger(FACTOR, seed=seed, shuffle=name == "shuffled")
            teach(enlarger, pictures, loss, steps=TAUGHT, seed=seed)
            with torch.no_grad():
                made.setdefault(name, []).append(torch.cat([enlarger(some) for some in shrink(wanted).split(100)]))
            print(name, seed, f"{psnr(made[name][-1], wanted):.3f}", flush=True)
    found = {"judged": {}, "pictures": {}}
    for way, runs in made.items():
        rows = [judged(run, wanted, labels, known) for run in runs]
        found["judged"][way] = {part: summary([row[part] for row in rows]) for part in rows[0]}
        found["pictures"][way] = strip(runs[0][shown])
        print(way, {part: f"{row['mean']:.3f}" for part, row in found["judged"][way].items()}, flush=True)
    if name == "without":
        found["pictures"]["small"] = strip(functional.interpolate(shrink(wanted[shown]), scale_factor=FACTOR))
    return found


def strip(pictures: Tensor) -> str:
    """Some pictures as one, side by side."""
    return packed(torch.cat(list(pictures.clamp(0, 1)), 2)[None])


# --- all of it ---

PIECES = {
    **{f"textures_{net}": lambda net=net: textures(net) for net in NETS},
    "optimizers": optimizers,
    "pools": pools,
    "transfers": transfers,
    "starts": starts,
    "content_layers": content_layers,
    **{f"enlarging_{name}": lambda name=name: enlarging(name) for name in ("without", *LOSSES)},
}


def collect(found: dict) -> dict:
    pictures = {"content": packed(content()), "content large": packed(content(SHOWN))}
    pictures |= {"style swirls": packed(draw_style("swirls", SHOWN))}
    textures = {}
    for net in NETS:
        textures[net] = {}
        for depth, row in found[f"textures_{net}"].items():
            textures[net][depth] = summary(list(row["likeness"].values()))
            pictures[f"texture {net} {depth}"] = row["pictures"]["mosaic"]
    for net, by_pool in found["pools"].items():
        for pool, row in by_pool.items():
            pictures[f"pool {net} {pool}"] = row.pop("picture")
    pictures |= {f"transfer {name}": some for name, some in found["transfers"]["pictures"].items()}
    pictures |= {f"start {name}": some for name, some in found["starts"]["pictures"].items()}
    pictures |= {f"content {name}": some for name, some in found["content_layers"]["pictures"].items()}
    enlarged = {}
    for name in ("without", *LOSSES):
        enlarged |= found[f"enlarging_{name}"]["judged"]
        pictures |= {f"enlarged {way}": some for way, some in found[f"enlarging_{name}"]["pictures"].items()}
    return {
        **provenance("python -m experiments.perceptual"),
        "what": "textures, style transfer and enlarging by the values of four nets",
        "setting": {
            "size": SIZE,
            "steps": STEPS,
            "styles": list(STYLES),
            "taught": TAUGHT,
            "batch": 32,
            "factor": FACTOR,
        },
        "images": {"validation": JUDGED},
        "seeds": list(SEEDS),
        "noise": summary([likeness(noise(SIZE), draw_style(name, SIZE)) for name in STYLES]),
        "another": summary([likeness(draw_style(name, SIZE, 1), draw_style(name, SIZE)) for name in STYLES]),
        "textures": textures,
        "optimizers": found["optimizers"],
        "pools": found["pools"],
        "weights": found["transfers"]["weights"],
        "starts": found["starts"]["starts"],
        "content_layers": found["content_layers"]["error"],
        "enlarging": enlarged,
        "pictures": pictures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.perceptual", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result, once all pieces are finished")
    parser.add_argument("pieces", nargs="*", help=f"some of {', '.join(PIECES)}; without names, all of them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.collect:
        for name in options.pieces or PIECES:
            once(DONE / f"{name}.json", PIECES[name])
    paths = {name: DONE / f"{name}.json" for name in PIECES}
    if missing := [name for name, path in paths.items() if not path.exists()]:
        raise SystemExit(f"still to do: {', '.join(missing)}")
    print(
        write(
            "perceptual", collect({name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()})
        )
    )


if __name__ == "__main__":
    main()
