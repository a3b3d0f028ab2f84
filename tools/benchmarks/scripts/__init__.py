"""Programs that the benchmarks run and time, each in a process of its own."""
