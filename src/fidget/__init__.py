"""The floor that introduces the packages to each other: commands, reports, training, benchmarks."""
