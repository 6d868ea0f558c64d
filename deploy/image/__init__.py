"""What the image is made with and says of itself: kernels, health, contents."""
