"""A person's own video: who does what when, how sure that is, and files of it."""
