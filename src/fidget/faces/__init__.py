"""Faces of people whose poses are known: found within the head's region, followed, cut out on the fly."""
