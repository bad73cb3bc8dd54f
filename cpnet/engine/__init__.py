"""Training and evaluation; they know models and data by their interfaces only."""
