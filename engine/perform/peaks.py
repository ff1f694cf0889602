"""Where between the rows of a posterior its peaks lie."""


def peak_offset(left: float, peak: float, right: float) -> float:
    """Return where, in frames from the peak's row, the parabola through three points is highest.

    Clipped to +-0.5. A plateau of two equal rows gives their middle. (J. O. Smith, "Spectral
    Audio Signal Processing", quadratic interpolation of spectral peaks; here along time.)

    >>> peak_offset(0.2, 0.8, 0.2), peak_offset(0.0, 1.0, 1.0)
    (0.0, 0.5)
    """
    curvature = left - 2.0 * peak + right
    if curvature >= 0.0:
        return 0.0
    return min(0.5, max(-0.5, 0.5 * (right - left) / -curvature))
