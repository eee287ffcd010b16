"""The Dockerfile without a container engine: `python -m tests.container`, by hand, as root on Linux with debootstrap."""
