"""The binary forms on the internal topics: frames to the merchant stage, examples to learners."""
