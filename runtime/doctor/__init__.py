"""The diagnosis of an installation: what is here, what is missing, and what to do about it."""

from upconv.runtime.doctor.check import Check, State
from upconv.runtime.doctor.diagnosis import Diagnosis, diagnose

__all__ = ["Check", "Diagnosis", "State", "diagnose"]
