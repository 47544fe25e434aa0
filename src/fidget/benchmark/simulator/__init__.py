"""Simulated poses of the 82 actions of MMA-82: a body moved by kinematics, the cameras of four domains."""
