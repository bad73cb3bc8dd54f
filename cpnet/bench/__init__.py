"""Benchmarks: time, memory and their ratios, one data frame each."""
