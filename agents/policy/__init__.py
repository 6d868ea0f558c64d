"""What a merchant's rules go by besides the charge: the named lists, as they were at any time."""
