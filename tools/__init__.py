"""What makes one thing out of another: the environment, the book, the student notebooks, the numbers in the text."""
