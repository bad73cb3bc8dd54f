"""Benchmarks, which print times and ratios."""

from cpnet.bench.cp import bench_cp
from cpnet.bench.data import bench_data
from cpnet.bench.models import bench_models
from cpnet.bench.train import bench_train
