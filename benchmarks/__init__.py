"""Speed and memory beside PyTorch and the other small engines: `make bench` prints the table."""
