"""Speed and memory, each as a ratio taken within one run. `python -m benchmarks.run` runs them all."""
