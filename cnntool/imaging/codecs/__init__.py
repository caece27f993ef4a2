"""The file formats one by one, and the libraries behind some of them."""
