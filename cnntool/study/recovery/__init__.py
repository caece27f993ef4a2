"""Which kernel made one picture of another: found, proved and named; guesses where none did."""
