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


def build_layers(classes: int) -> Iterator[torch.nn.Module]:
    """Yield the layers of the network; PyTorch finds out the numbers of inputs."""
    for filters_of_level in NETWORK.convolutions:
        for position, filters in enumerate(filters_of_level):
            yield torch.nn.LazyConv2d(filters, SIDE, stride=1 if position else 2, padding=SIDE // 2)
            if NETWORK.batch_normalization:
                yield torch.nn.BatchNorm2d(filters)
            yield torch.nn.ReLU()
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
stopwatch.print()
