"""What commands and the demo share: options, connections, files, and wording on the terminal."""
