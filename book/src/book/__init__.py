"""What the book is made with: its figures, the registry of the losses, the gates, the site.

The package runs from a checkout of the book, to which it belongs.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: what holds `chapters`, `losslib` and `_toc.yml`."""
