"""`shoal init`: a study of a user's own table, in a folder of its own that the installed package runs."""
