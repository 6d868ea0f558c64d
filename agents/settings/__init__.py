"""The settings: their types and bounds, where they are read from, and the page that lists them."""
