"""Simulated poses of the 82 actions of MMA-82: a body moved by kinematics, and the cameras of four domains."""
