"""What is obtained for this machine: packages, modules, release archives."""
