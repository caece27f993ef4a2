"""What the terminal draws: pictures, charts, grids of filters and words."""
