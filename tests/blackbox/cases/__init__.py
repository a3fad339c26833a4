"""Cases as data. What is compared and what is left out of it is in test_kong.py."""
