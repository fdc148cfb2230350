"""Others on our arrays: a file for each family of terms, and what all of them share."""
