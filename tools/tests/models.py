"""The models that the tests export, and their features computed by other means than the tool's."""

import timm
import tokenizers
import torch
import torchvision
import transformers

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SQUARE = {"height": 32, "width": 32}
PLAIN = {"size": SQUARE, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


class OwnNet(torch.nn.Module):
    """Two layers and a head, with one place to put what must be refused."""

    def __init__(self, between=None):
        super().__init__()
        torch.manual_seed(0)
        self.maps = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU())
        self.between = between or torch.nn.Identity()
        self.head = torch.nn.Linear(8, 5)

    def features(self, pixels):
        return self.between(self.maps(pixels)).mean((2, 3))

    def forward(self, pixels):
        return torch.log_softmax(self.head(self.features(pixels)), 1)


class AlwaysDropout(torch.nn.Module):
    def forward(self, values):
        return torch.nn.functional.dropout(values, training=True)


class Constant(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, values):
        return torch.full_like(values, self.value)


def timm_features(name):
    """What the last layer of the classifier receives."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval()

    def features(pixels):
        received = []
        model.get_classifier().register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
        model(pixels)
        return received[0]

    return features


def torchvision_features(name):
    """The model with its last layer replaced by nothing."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None).eval()
    if name.startswith("resnet"):
        model.fc = torch.nn.Identity()
    else:
        model.classifier[-1] = torch.nn.Identity()
    return model


def vision_transformer(pooler=True):
    torch.manual_seed(0)
    config = transformers.ViTConfig(image_size=32, patch_size=8, **SMALL)
    return transformers.ViTModel(config, add_pooling_layer=pooler).eval()


def vision_classifier():
    torch.manual_seed(0)
    names = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.ViTConfig(image_size=32, patch_size=8, id2label=names, **SMALL)
    return transformers.ViTForImageClassification(config).eval()


def bert():
    torch.manual_seed(0)
    return transformers.BertModel(transformers.BertConfig(vocab_size=100, **SMALL)).eval()


def save_pictures(model, folder, processor=None):
    model.save_pretrained(folder)
    (processor or transformers.ViTImageProcessorPil(size=SQUARE)).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    return folder


def save_text(model, folder):
    model.save_pretrained(folder)
    words = {f"word{index}": index for index in range(100)}
    tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="word0")).save(str(folder / "tokenizer.json"))
    return folder
