"""Video to pose records: decoding, people, keypoints, and the `extract-poses` command."""
