"""Profiles: one knob for data, network size and place."""

PROFILES = ("smoke", "cpu", "gpu", "paper")


def check_profile(profile: str) -> str:
    """The profile itself.

    Raises:
        ValueError: unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r}: choose one of {', '.join(PROFILES)}")
    return profile
