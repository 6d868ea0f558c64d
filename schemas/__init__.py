"""The events on the wire: their types, their validation, and the documents made from them."""
