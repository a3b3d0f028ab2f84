"""Training with a fast PyTorch loop: whole batches, a fused optimiser, convolutions with channels last."""

from collections.abc import Iterator

import torch

from tools.benchmarks.scripts.job import (
    BATCH_SIZE,
    EPOCHS,
    JOB,
    NETWORK,
    Stopwatch,
    read_scored_split,
    read_split,
)

SIDE = 3  # of convolutions
SCORED_AT_ONCE = 1000


class Residual(torch.nn.Module):  # type: ignore[misc]
    """Layers whose input is added to their output, and a ReLU of the sum."""

    def __init__(self, *layers: torch.nn.Module) -> None:
        """Take the layers."""
        super().__init__()
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the sum, where it is positive."""
        return torch.relu(inputs + self.layers(inputs))


def build_convolution(filters: int, stride: int) -> list[torch.nn.Module]:
    """Return a convolution and its normalisation."""
    normalization = [torch.nn.BatchNorm2d(filters)] if NETWORK.batch_normalization else []
    return [torch.nn.LazyConv2d(filters, SIDE, stride=stride, padding=SIDE // 2), *normalization]


def build_layers(classes: int) -> Iterator[torch.nn.Module]:
    """Yield the layers of the network; PyTorch finds out the numbers of inputs."""
    for first, *others in NETWORK.convolutions:
        yield from (*build_convolution(first, 2), torch.nn.ReLU())
        if NETWORK.residual:
            for filters in others[::2]:
                pair = build_convolution(filters, 1), build_convolution(filters, 1)
                yield Residual(*pair[0], torch.nn.ReLU(), *pair[1])
        else:
            for filters in others:
                yield from (*build_convolution(filters, 1), torch.nn.ReLU())
    if NETWORK.average_pooling:
        yield torch.nn.AdaptiveAvgPool2d(1)
    yield torch.nn.Flatten()
    for width in NETWORK.hidden:
        yield torch.nn.LazyLinear(width)
        if NETWORK.batch_normalization:
            yield torch.nn.BatchNorm1d(width)
        yield torch.nn.ReLU()
        yield torch.nn.Dropout(NETWORK.dropout)
    yield torch.nn.LazyLinear(classes)


def arrange(images: torch.Tensor) -> torch.Tensor:
    """Return images with their channels first, as PyTorch counts, and last in memory before convolutions."""
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)  # noqa: PLR2004 - grey
    return images.to(memory_format=torch.channels_last) if NETWORK.convolutions else images


stopwatch = Stopwatch()
images, labels = map(torch.from_numpy, read_split("train"))
scored_images, scored_labels = map(torch.from_numpy, read_scored_split())
images, scored_images = arrange(images), arrange(scored_images)
network = torch.nn.Sequential(*build_layers(JOB.classes))
network.eval()
network(images[:1])  # from which PyTorch finds out the numbers of inputs
if NETWORK.convolutions:
    network = network.to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(network.parameters(), fused=True)
loss_function = torch.nn.CrossEntropyLoss()
for _ in range(EPOCHS):
    stopwatch.start()
    network.train()
    for rows in torch.randperm(len(labels)).split(BATCH_SIZE):
        if len(rows) == 1:  # of which PyTorch's batch normalisation has no variance
            continue
        optimizer.zero_grad()
        loss_function(network(images[rows]), labels[rows]).backward()
        optimizer.step()
    stopwatch.stop()
    network.eval()
    with torch.no_grad():
        predictions = [network(batch).argmax(1) for batch in scored_images.split(SCORED_AT_ONCE)]
    if stopwatch.is_goal_reached((torch.cat(predictions) == scored_labels).float().mean().item()):
        break
stopwatch.print(sum(weights.numel() for weights in network.parameters() if weights.ndim > 1))
