"""What Calico's packets to other nodes travel in: found out by making the device, not by reading a version."""
