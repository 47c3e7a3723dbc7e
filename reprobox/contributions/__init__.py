"""What each explanatory variable contributes: from the training itself, or by shuffling one column at a time."""
