"""Training with a usual PyTorch loop."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from tools.benchmarks.scripts.job import JOB, Stopwatch, read_split

stopwatch = Stopwatch()
images, labels = map(torch.from_numpy, read_split("train"))
validation_images, validation_labels = map(torch.from_numpy, read_split("validation"))
loader = DataLoader(TensorDataset(images, labels), batch_size=JOB.batch_size, shuffle=True)

layers: list[torch.nn.Module] = []
inputs = images.shape[1]
for width in JOB.hidden:
    layers.append(torch.nn.Linear(inputs, width))
    if JOB.batch_normalization:
        layers.append(torch.nn.BatchNorm1d(width))
    layers += [torch.nn.ReLU(), torch.nn.Dropout(JOB.dropout)]
    inputs = width
model = torch.nn.Sequential(*layers, torch.nn.Linear(inputs, int(labels.max()) + 1))
optimizer = torch.optim.AdamW(model.parameters())
loss_function = torch.nn.CrossEntropyLoss()
for _ in range(JOB.epochs):
    stopwatch.start()
    model.train()
    for image_batch, label_batch in loader:
        optimizer.zero_grad()
        loss_function(model(image_batch), label_batch).backward()
        optimizer.step()
    stopwatch.stop()
    model.eval()
    with torch.no_grad():
        right = model(validation_images).argmax(1) == validation_labels
    if stopwatch.is_goal_reached(right.float().mean().item()):
        break
stopwatch.print()
