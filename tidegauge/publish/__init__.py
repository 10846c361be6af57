"""What Apache serves, as files: feeds, figures, the front page, and the files that pages load."""
