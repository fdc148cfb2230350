"""What `gpu.py` sets against the kernels: works, rivals, and how device time is taken."""
