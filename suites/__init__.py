"""The acceptance suites: pure assertions over what one sweep saw, on lab and cluster alike."""
