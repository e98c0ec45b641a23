"""What the book adds to Sphinx: see the README beside this file."""
