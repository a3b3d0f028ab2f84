"""An ordinary PyTorch loop."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from tools.benchmarks.scripts.job import JOB, Stopwatch, images_and_labels

stopwatch = Stopwatch()
images, labels = map(torch.from_numpy, images_and_labels("train"))
validation_images, validation_labels = map(torch.from_numpy, images_and_labels("validation"))
loader = DataLoader(TensorDataset(images, labels), batch_size=JOB.batch_size, shuffle=True)

layers: list[torch.nn.Module] = []
width = images.shape[1]
for wider in JOB.hidden:
    layers.append(torch.nn.Linear(width, wider))
    if JOB.batch_normalization:
        layers.append(torch.nn.BatchNorm1d(wider))
    layers += [torch.nn.ReLU(), torch.nn.Dropout(JOB.dropout)]
    width = wider
model = torch.nn.Sequential(*layers, torch.nn.Linear(width, int(labels.max()) + 1))
optimizer = torch.optim.AdamW(model.parameters())
loss_of = torch.nn.CrossEntropyLoss()
for _ in range(JOB.epochs):
    stopwatch.start()
    model.train()
    for some_images, some_labels in loader:
        optimizer.zero_grad()
        loss_of(model(some_images), some_labels).backward()
        optimizer.step()
    stopwatch.stop()
    model.eval()
    with torch.no_grad():
        right = model(validation_images).argmax(1) == validation_labels
    if stopwatch.validated(right.float().mean().item()):
        break
stopwatch.print()
