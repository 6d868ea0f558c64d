"""Rules of a merchant: their language, the check of them, and which charges they match."""
