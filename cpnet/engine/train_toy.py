"""The training loop of the toy study."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cpnet.engine.evaluate import evaluate
from cpnet.progress import progress_bar

Curves = dict[str, list[float]]


def train(
    model: nn.Module,
    train_set: Dataset,
    val_set: Dataset,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    device: torch.device,
    description: str = "",
    progress: bool = True,
    position: int = 0,
) -> Curves:
    """Train in place by Adam with one cycle of the learning rate, a fixed number of epochs, no early stop.

    Args:
        model: maps clips (B, C, T, H, W) to logits (B, classes).
        train_set, val_set: items (clip, label).
        lr: peak learning rate.
        seed: seed of the order of the training clips.
        description, position: text and line of the progress bar.

    Returns:
        One value an epoch of "train_loss", "train_top1" (running, in training mode) and "val_top1", in percent.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(train_set, batch_size, shuffle=True, generator=order)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))
    curves: Curves = {"train_loss": [], "train_top1": [], "val_top1": []}
    bar = progress_bar(progress, total=epochs * len(loader), desc=description, unit="batch", position=position)
    for epoch in range(epochs):
        model.train()
        loss_sum = correct = seen = 0.0
        for clips, labels in loader:
            clips, labels = clips.to(device), labels.to(device)
            logits = model(clips)  # (B, classes)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
            seen += len(labels)
            bar.update()
        if not loss_sum < float("inf"):
            raise FloatingPointError(f"{description}: loss {loss_sum / seen} in epoch {epoch + 1}: lower lr (now {lr})")
        curves["train_loss"].append(loss_sum / seen)
        curves["train_top1"].append(100 * correct / seen)
        curves["val_top1"].append(evaluate(model, val_set, batch_size=batch_size, device=device).top1)
        bar.set_postfix(loss=f"{loss_sum / seen:.3f}", val=f"{curves['val_top1'][-1]:.1f}")
    bar.close()
    return curves
